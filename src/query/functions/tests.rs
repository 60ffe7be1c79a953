//! Each function of DataFusion is known by name here: an upgrade that brings new ones fails until somebody has looked.

use datafusion::execution::session_state::SessionStateBuilder;

use super::capped::Capped;
use super::*;

/// Functions whose result, or time, can outgrow their arguments; all are capped.
const GROWS: [&str; 36] = [
    "array_append",
    "array_concat",
    "array_has_all",
    "array_has_any",
    "array_prepend",
    "array_repeat",
    "array_replace",
    "array_replace_all",
    "array_replace_n",
    "array_resize",
    "array_to_string",
    "array_union",
    "arrays_zip",
    "btrim",
    "concat",
    "concat_ws",
    "encode",
    "generate_series",
    "levenshtein",
    "lpad",
    "ltrim",
    "make_array",
    "map",
    "named_struct",
    "overlay",
    "range",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "rpad",
    "rtrim",
    "string_concat",
    "string_to_array",
    "struct",
    "to_char",
];

/// Functions whose result is no larger than their arguments, or than a small multiple of them that does not compound:
/// another call of the same does not multiply again (`upper`, `translate`, `array_positions`).
const STEADY: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "array_add",
    "array_any_value",
    "array_avg",
    "array_compact",
    "array_dims",
    "array_distance",
    "array_distinct",
    "array_element",
    "array_except",
    "array_has",
    "array_intersect",
    "array_length",
    "array_max",
    "array_min",
    "array_ndims",
    "array_normalize",
    "array_pop_back",
    "array_pop_front",
    "array_position",
    "array_positions",
    "array_product",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_reverse",
    "array_scale",
    "array_slice",
    "array_sort",
    "array_subtract",
    "array_sum",
    "arrow_typeof",
    "ascii",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bit_length",
    "canonical_json",
    "cardinality",
    "cbrt",
    "ceil",
    "character_length",
    "chr",
    "coalesce",
    "contains",
    "cos",
    "cosh",
    "cosine_distance",
    "cot",
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "decode",
    "degrees",
    "digest",
    "empty",
    "ends_with",
    "exp",
    "factorial",
    "find_in_set",
    "flatten",
    "floor",
    "from_unixtime",
    "gcd",
    "get_field",
    "greatest",
    "initcap",
    "inner_product",
    "isnan",
    "iszero",
    "json_get",
    "json_get_text",
    "lcm",
    "least",
    "left",
    "ln",
    "log",
    "log10",
    "log2",
    "lower",
    "make_date",
    "make_time",
    "map_entries",
    "map_extract",
    "map_keys",
    "map_values",
    "md5",
    "nanvl",
    "now",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "pass_hat_k",
    "pi",
    "power",
    "radians",
    "random",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "reverse",
    "right",
    "round",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "signum",
    "sin",
    "sinh",
    "split_part",
    "sqrt",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "tan",
    "tanh",
    "to_date",
    "to_hex",
    "to_local_time",
    "to_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    "translate",
    "trunc",
    "union_extract",
    "union_tag",
    "upper",
    "uuid",
    "wilson_high",
    "wilson_low",
];

/// Aggregates whose state has a fixed size.
const SMALL_STATE: &[&str] = &[
    "any_value",
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "covar_pop",
    "covar_samp",
    "first_value",
    "grouping",
    "last_value",
    "max",
    "min",
    "nth_value",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "sum",
    "var",
    "var_pop",
];

/// Aggregates that keep what they see; `engine::tests` shows that the memory pool sees them.
const LARGE_STATE: &[&str] = &[
    "array_agg",
    "count",
    "median",
    "percentile_cont",
    "string_agg",
];

const WINDOW: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

#[test]
fn every_scalar_function_is_known_to_grow_or_not_to() {
    let state = SessionStateBuilder::new_with_default_features().build();
    let ours = scalar();
    let names = state
        .scalar_functions()
        .values()
        .chain(&ours)
        .map(|function| function.name());
    for name in names {
        let lists = [GROWS.as_slice(), STEADY, LEFT_OUT.as_slice()];
        let known = lists.iter().filter(|list| list.contains(&name)).count();
        assert_eq!(
            known, 1,
            "{name}: does its result outgrow its arguments? put it into one list"
        );
    }
}

#[test]
fn what_grows_is_capped_and_nothing_else() {
    for function in scalar() {
        let capped = function.inner().is::<Capped>();
        assert_eq!(
            capped,
            GROWS.contains(&function.name()),
            "{}",
            function.name()
        );
        assert!(!LEFT_OUT.contains(&function.name()), "{}", function.name());
    }
}

#[test]
fn no_name_leads_past_the_cap() {
    let state = SessionStateBuilder::new()
        .with_scalar_functions(scalar())
        .with_expr_planners(planners())
        .build();
    for (name, function) in state.scalar_functions() {
        let grows = GROWS.contains(&function.name());
        assert_eq!(
            function.inner().is::<Capped>(),
            grows,
            "{name} is {}",
            function.name()
        );
    }
}

#[test]
fn every_aggregate_window_and_table_function_is_known() {
    let state = SessionStateBuilder::new_with_default_features().build();
    for function in state.aggregate_functions().values() {
        let known =
            SMALL_STATE.contains(&function.name()) || LARGE_STATE.contains(&function.name());
        assert!(
            known,
            "{}: what does its state hold, and does the pool see it?",
            function.name()
        );
    }
    for name in state.window_functions().keys() {
        assert!(WINDOW.contains(&name.as_str()), "{name}");
    }
    for name in state.table_functions().keys() {
        assert!(
            ["generate_series", "range"].contains(&name.as_str()),
            "{name} needs a cap"
        );
    }
}

#[test]
fn the_aggregates_that_keep_what_they_see_are_capped() {
    for function in aggregate() {
        let capped = function.inner().is::<super::kept::Kept>();
        assert_eq!(
            capped,
            ["array_agg", "string_agg"].contains(&function.name()),
            "{}",
            function.name()
        );
    }
}

#[test]
fn functions_of_functions_are_not_offered() {
    let state = SessionStateBuilder::new()
        .with_scalar_functions(scalar())
        .build();
    assert!(state.higher_order_functions().is_empty());
}
