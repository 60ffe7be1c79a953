//! Tokens: what senders count in five ways, as totals with their parts (semconv.md §4.4).
//!
//! Totals include their parts here. Senders differ in whether the input includes what the cache gave, and the output
//! what the model thought; the rules below find out from the numbers.

use super::coerce;
use crate::model::Value;

/// What a sender said, as it said it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_write: Option<i64>,
    pub(super) cache_write_1h: Option<i64>,
    pub(super) reasoning: Option<i64>,
    pub(super) input_audio: Option<i64>,
    pub(super) output_audio: Option<i64>,
    pub(super) input_image: Option<i64>,
    pub(super) total: Option<i64>,
    /// The dialect counts the cache beside the input.
    pub(super) cache_is_beside: bool,
    /// The dialect counts thoughts beside the output.
    pub(super) thoughts_are_beside: bool,
}

/// The same in canonical form; `fix` says which rule had to repair it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) said: Said,
    pub(super) fix: Option<&'static str>,
}

/// Brings what was said into canonical form.
pub(super) fn canonical(mut said: Said) -> Tokens {
    let mut fix = None;
    let (read, write) = (said.cache_read.unwrap_or(0), said.cache_write.unwrap_or(0));
    let cached = read + write;
    let thought = said.reasoning.unwrap_or(0);
    let only_total = [
        said.input,
        said.output,
        said.cache_read,
        said.cache_write,
        said.reasoning,
    ];
    if let Some(total) = said.total
        && only_total.iter().all(Option::is_none)
    {
        // Which part was output is unknown: the price becomes a lower bound.
        said.input = Some(total);
        said.output = Some(0);
        return Tokens {
            said,
            fix: Some("total_only"),
        };
    }
    let input = said.input.unwrap_or(0);
    let output = said.output.unwrap_or(0);
    let adds_up = said.total.is_some_and(|total| {
        cached > 0 && total == input + output + cached && !(thought > 0 && cached == thought)
    });
    if said.cache_is_beside {
        said.input = said.input.map(|input| input + cached);
    } else if cached > input || adds_up {
        said.input = Some(input + cached);
        fix = Some("exclusive_input");
    }
    let beside = said
        .total
        .is_some_and(|total| thought > 0 && total == said.input.unwrap_or(0) + output + thought);
    if said.thoughts_are_beside || beside {
        said.output = said
            .output
            .map(|output| output + thought)
            .or(said.reasoning);
    } else if thought > output {
        said.output = Some(output + thought);
        fix = fix.or(Some("detail_gt_total"));
    }
    if clamp(&mut said) {
        fix = fix.or(Some("clamped"));
    }
    Tokens { said, fix }
}

/// Holds parts to their totals; returns whether one was larger.
fn clamp(said: &mut Said) -> bool {
    let mut clamped = false;
    let mut hold = |part: &mut Option<i64>, total: Option<i64>| {
        if let (Some(value), Some(total)) = (*part, total)
            && value > total
        {
            *part = Some(total);
            clamped = true;
        }
    };
    hold(&mut said.cache_read, said.input);
    hold(
        &mut said.cache_write,
        said.input.map(|input| input - said.cache_read.unwrap_or(0)),
    );
    hold(&mut said.cache_write_1h, said.cache_write);
    hold(&mut said.reasoning, said.output);
    hold(&mut said.input_audio, said.input);
    hold(&mut said.input_image, said.input);
    hold(&mut said.output_audio, said.output);
    clamped
}

/// Fills what is still unsaid from a provider's or framework's whole usage object.
pub(super) fn fill_from_object(said: &mut Said, object: &Value) {
    let read = |paths: &[&str]| {
        paths
            .iter()
            .find_map(|path| coerce::tok(at_path(object, path)?))
    };
    let fill = |gap: &mut Option<i64>, paths: &[&str]| *gap = gap.or_else(|| read(paths));
    fill(
        &mut said.input,
        &["input_tokens", "prompt_tokens", "input", "promptTokenCount"],
    );
    fill(
        &mut said.output,
        &[
            "output_tokens",
            "completion_tokens",
            "output",
            "candidatesTokenCount",
        ],
    );
    fill(
        &mut said.cache_read,
        &[
            "input_tokens_details.cached_tokens",
            "prompt_tokens_details.cached_tokens",
            "input_token_details.cache_read",
            "cache_read_input_tokens",
            "cached_input_tokens",
            "input_cached_tokens",
            "input_cache_read",
            "cachedContentTokenCount",
        ],
    );
    fill(
        &mut said.cache_write,
        &[
            "input_tokens_details.cache_write_tokens",
            "prompt_tokens_details.cache_write_tokens",
            "input_token_details.cache_creation",
            "cache_creation_input_tokens",
            "cache_write_input_tokens",
            "input_cache_creation",
        ],
    );
    fill(
        &mut said.reasoning,
        &[
            "output_tokens_details.reasoning_tokens",
            "completion_tokens_details.reasoning_tokens",
            "output_token_details.reasoning",
            "output_reasoning_tokens",
            "output_reasoning",
            "thoughtsTokenCount",
        ],
    );
    fill(
        &mut said.total,
        &["total_tokens", "total", "totalTokenCount"],
    );
}

fn at_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, step| match value {
        Value::Map(entries) => entries
            .iter()
            .rev()
            .find(|(key, _)| key == step)
            .map(|(_, value)| value),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(input: i64, output: i64) -> Said {
        Said {
            input: Some(input),
            output: Some(output),
            ..Said::default()
        }
    }

    #[test]
    fn a_cache_larger_than_the_input_is_beside_it() {
        let tokens = canonical(Said {
            cache_read: Some(16399),
            cache_write: Some(2089),
            ..said(7, 5)
        });
        assert_eq!(tokens.said.input, Some(18495));
        assert_eq!(tokens.fix, Some("exclusive_input"));
    }

    #[test]
    fn a_total_that_adds_the_cache_tells_that_it_is_beside() {
        let tokens = canonical(Said {
            cache_read: Some(30),
            total: Some(150),
            ..said(100, 20)
        });
        assert_eq!(
            (tokens.said.input, tokens.fix),
            (Some(130), Some("exclusive_input"))
        );
        let inside = canonical(Said {
            cache_read: Some(30),
            total: Some(120),
            ..said(100, 20)
        });
        assert_eq!((inside.said.input, inside.fix), (Some(100), None));
    }

    #[test]
    fn a_cache_larger_than_the_input_is_seen_before_the_total() {
        let tokens = canonical(Said {
            cache_read: Some(90),
            total: Some(15),
            ..said(10, 5)
        });
        assert_eq!(
            (tokens.said.input, tokens.fix),
            (Some(100), Some("exclusive_input"))
        );
    }

    #[test]
    fn a_total_that_thoughts_explain_as_well_leaves_the_input() {
        let both = Said {
            cache_read: Some(30),
            reasoning: Some(30),
            total: Some(150),
            ..said(100, 20)
        };
        let tokens = canonical(both);
        assert_eq!(
            (tokens.said.input, tokens.said.output, tokens.fix),
            (Some(100), Some(50), None)
        );
    }

    #[test]
    fn a_dialect_that_counts_beside_needs_no_repair() {
        let tokens = canonical(Said {
            cache_read: Some(11579),
            cache_write: Some(12694),
            cache_is_beside: true,
            ..said(10, 202)
        });
        assert_eq!((tokens.said.input, tokens.fix), (Some(24283), None));
        let thoughts = canonical(Said {
            cache_read: Some(8000),
            reasoning: Some(420),
            total: Some(12770),
            thoughts_are_beside: true,
            ..said(12000, 350)
        });
        assert_eq!(
            (thoughts.said.input, thoughts.said.output, thoughts.fix),
            (Some(12000), Some(770), None)
        );
    }

    #[test]
    fn more_thoughts_than_output_are_added() {
        let tokens = canonical(Said {
            reasoning: Some(60),
            ..said(500, 40)
        });
        assert_eq!(
            (tokens.said.output, tokens.fix),
            (Some(100), Some("detail_gt_total"))
        );
    }

    #[test]
    fn a_total_alone_becomes_the_input() {
        let tokens = canonical(Said {
            total: Some(9),
            ..Said::default()
        });
        assert_eq!(
            (tokens.said.input, tokens.said.output, tokens.fix),
            (Some(9), Some(0), Some("total_only"))
        );
    }

    #[test]
    fn parts_are_held_to_their_totals() {
        let tokens = canonical(Said {
            cache_write: Some(5),
            cache_write_1h: Some(9),
            ..said(10, 5)
        });
        assert_eq!(
            (tokens.said.cache_write_1h, tokens.fix),
            (Some(5), Some("clamped"))
        );
        let audio = canonical(Said {
            input_audio: Some(11),
            ..said(10, 5)
        });
        assert_eq!(
            (audio.said.input_audio, audio.fix),
            (Some(10), Some("clamped"))
        );
        assert_eq!(
            canonical(Said {
                input_audio: Some(10),
                ..said(10, 5)
            })
            .fix,
            None
        );
    }

    #[test]
    fn nothing_said_stays_nothing() {
        assert_eq!(canonical(Said::default()), Tokens::default());
        let zero = canonical(said(0, 0));
        assert_eq!((zero.said.input, zero.said.cache_read), (Some(0), None));
    }

    #[test]
    fn a_usage_object_fills_gaps_only() {
        let object = coerce::jsonish(
            r#"{"prompt_tokens":412,"completion_tokens":23,"total_tokens":435,"prompt_tokens_details":{"cached_tokens":256}}"#,
        );
        let mut known = Said {
            input: Some(400),
            ..Said::default()
        };
        fill_from_object(&mut known, &object.unwrap());
        assert_eq!(
            (known.input, known.output, known.cache_read, known.total),
            (Some(400), Some(23), Some(256), Some(435))
        );
    }
}
