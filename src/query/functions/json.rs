//! JSON kept as text: `->`, `->>` and `canonical_json`.
//!
//! Only the key asked for is looked at; the rest is skipped without being built. What is not JSON, or has no such key,
//! is null.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::sqlparser::ast::BinaryOperator;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Whether a member is wanted as text or as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Want {
    /// `->>`: strings without their quotes, null as null.
    Text,
    /// `->`: JSON, to look further into.
    Json,
}

/// `json ->> key`: the key is a text for objects, an index for arrays.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Member {
    want: Want,
    signature: Signature,
}

fn member(want: Want) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::from(Member { want, signature }))
}

/// Returns the functions of this module.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let canonical = Canonical {
        signature: Signature::string(1, Volatility::Immutable),
    };
    vec![
        member(Want::Text),
        member(Want::Json),
        Arc::new(ScalarUDF::from(canonical)),
    ]
}

impl ScalarUDFImpl for Member {
    fn name(&self) -> &'static str {
        match self.want {
            Want::Text => "json_get_text",
            Want::Json => "json_get",
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let arrow = if self.want == Want::Text {
            " ->> "
        } else {
            " -> "
        };
        let names: Vec<String> = args
            .iter()
            .map(|arg| arg.schema_name().to_string())
            .collect();
        Ok(names.join(arrow))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [json, key] = take_function_args(self.name(), types)?;
        if !is_text(json) {
            return plan_err!("{} reads JSON from text, not from {json}", self.name());
        }
        let key = match key {
            key if is_text(key) => DataType::Utf8View,
            key if key.is_integer() => DataType::Int64,
            key => return plan_err!("a JSON key is a text or an integer, not {key}"),
        };
        Ok(vec![DataType::Utf8View, key])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [json, key] = take_function_args(self.name(), args.args)?;
        let constant = matches!(
            (&json, &key),
            (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_))
        );
        let rows = if constant { 1 } else { args.number_rows };
        let json = json.into_array(rows)?;
        let (json, key) = (json.as_string_view(), Keys::of(&key)?);
        let mut found = StringViewBuilder::with_capacity(rows);
        for row in 0..rows {
            let value = json.is_valid(row).then(|| json.value(row));
            let value = value.and_then(|json| find(json, key.at(row)?, self.want));
            found.append_option(value);
        }
        finish(Arc::new(found.finish()), constant)
    }
}

fn finish(array: ArrayRef, constant: bool) -> Result<ColumnarValue> {
    if constant {
        let value = datafusion::common::ScalarValue::try_from_array(&array, 0)?;
        return Ok(ColumnarValue::Scalar(value));
    }
    Ok(ColumnarValue::Array(array))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// The keys of one batch.
struct Keys {
    array: ArrayRef,
    constant: bool,
}

#[derive(Clone, Copy)]
enum Key<'a> {
    Name(&'a str),
    Index(i64),
}

impl Keys {
    fn of(value: &ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(array) => Self {
                array: Arc::clone(array),
                constant: false,
            },
            ColumnarValue::Scalar(value) => Self {
                array: value.to_array()?,
                constant: true,
            },
        })
    }

    fn at(&self, row: usize) -> Option<Key<'_>> {
        let row = if self.constant { 0 } else { row };
        if self.array.is_null(row) {
            return None;
        }
        match self.array.data_type() {
            DataType::Int64 => Some(Key::Index(
                self.array.as_primitive::<Int64Type>().value(row),
            )),
            _ => Some(Key::Name(self.array.as_string_view().value(row))),
        }
    }
}

fn find<'a>(json: &'a str, key: Key<'_>, want: Want) -> Option<Cow<'a, str>> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_str(json);
    // The reader is left at the member: an error that ends it early is no error of ours.
    let whole = Seek {
        key,
        found: &mut found,
    }
    .deserialize(&mut reader);
    let raw = match (found, whole) {
        (Some(raw), _) => raw.get(),
        (None, _) => return None,
    };
    match (want, raw.as_bytes().first()?) {
        (Want::Text, b'n') => None,
        (Want::Text, b'"') => serde_json::from_str::<Cow<'a, str>>(raw)
            .ok()
            .map(|text| unquoted(raw).map_or(text, Cow::Borrowed)),
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// Returns the inside of a JSON string that has no escapes, without copying it.
fn unquoted(raw: &str) -> Option<&str> {
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains('\\')).then_some(inside)
}

/// Reads an object or array up to the member asked for.
struct Seek<'a, 'f, 'k> {
    key: Key<'k>,
    found: &'f mut Option<&'a RawValue>,
}

impl<'a> DeserializeSeed<'a> for Seek<'a, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Seek<'a, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Key::Name(wanted) = self.key else {
            return Ok(());
        };
        while let Some(name) = map.next_key::<Name<'a>>()? {
            if name.0 == wanted {
                *self.found = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        let Key::Index(wanted) = self.key else {
            return Ok(());
        };
        if wanted < 0 {
            // As in PostgreSQL, -1 is the last one.
            let mut all: Vec<&RawValue> = Vec::new();
            while let Some(value) = list.next_element()? {
                all.push(value);
            }
            let back = usize::try_from(wanted.unsigned_abs()).unwrap_or(usize::MAX);
            *self.found = all
                .len()
                .checked_sub(back)
                .and_then(|at| all.get(at))
                .copied();
            return Ok(());
        }
        for _ in 0..wanted {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        *self.found = list.next_element()?;
        Ok(())
    }
}

/// An object's key, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        reader.deserialize_str(Text).map(Name)
    }
}

/// `canonical_json(text)`: keys in order, no spaces, whole numbers without a fraction; null for what is not JSON.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Canonical {
    signature: Signature,
}

impl ScalarUDFImpl for Canonical {
    fn name(&self) -> &'static str {
        "canonical_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = take_function_args(self.name(), args.args)?;
        let constant = matches!(text, ColumnarValue::Scalar(_));
        let rows = if constant { 1 } else { args.number_rows };
        let texts = super::sizes::texts(&text.into_array(rows)?)?;
        let mut made = StringViewBuilder::with_capacity(rows);
        for text in texts.as_string_view() {
            made.append_option(text.and_then(canonical));
        }
        finish(Arc::new(made.finish()), constant)
    }
}

fn canonical(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut out = String::with_capacity(text.len());
    write_canonical(&value, &mut out);
    Some(out)
}

fn write_canonical(value: &serde_json::Value, out: &mut String) {
    /// Whole numbers up to here are exact as doubles.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        serde_json::Value::Array(values) => {
            out.push('[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(value, out);
            }
            out.push(']');
        }
        serde_json::Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (i, (name, value)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() < EXACT => {
                // `+ 0.0` makes -0 a 0.
                out.push_str(&format!("{:.0}", double + 0.0));
            }
            _ => out.push_str(&number.to_string()),
        },
        other => out.push_str(&other.to_string()),
    }
}

/// Plans `->` and `->>`.
#[derive(Debug)]
pub(super) struct JsonPlanner {
    text: Arc<ScalarUDF>,
    json: Arc<ScalarUDF>,
}

impl JsonPlanner {
    pub(super) fn new() -> Self {
        Self {
            text: member(Want::Text),
            json: member(Want::Json),
        }
    }
}

impl ExprPlanner for JsonPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match expr.op {
            BinaryOperator::LongArrow => &self.text,
            BinaryOperator::Arrow => &self.json,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(PlannerResult::Planned(
            function.call(vec![expr.left, expr.right]),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str, key: &str) -> Option<String> {
        find(json, Key::Name(key), Want::Text).map(Cow::into_owned)
    }

    #[test]
    fn members_are_found_behind_others_and_unescaped() {
        let json = r#"{"a": {"b": [1, {"x": "}"}]}, "b": "é\n\"q\"", "\u0063": 1.50, "n": null, "t": true}"#;
        assert_eq!(text(json, "b").as_deref(), Some("é\n\"q\""));
        assert_eq!(
            text(json, "c").as_deref(),
            Some("1.50"),
            "digits stay as written"
        );
        assert_eq!(text(json, "t").as_deref(), Some("true"));
        assert_eq!(text(json, "n"), None);
        assert_eq!(text(json, "missing"), None);
        let nested = find(json, Key::Name("a"), Want::Json);
        assert_eq!(nested.as_deref(), Some(r#"{"b": [1, {"x": "}"}]}"#));
    }

    #[test]
    fn elements_are_counted_from_either_end() {
        let at =
            |index| find(r#"["x", 2, [3]]"#, Key::Index(index), Want::Text).map(Cow::into_owned);
        assert_eq!(at(0).as_deref(), Some("x"));
        assert_eq!(at(2).as_deref(), Some("[3]"));
        assert_eq!(at(-3).as_deref(), Some("x"));
        assert_eq!((at(3), at(-4)), (None, None));
    }

    #[test]
    fn what_is_not_an_object_has_no_members() {
        for json in [
            "", "nul", "3", "\"a\"", "{", "{\"a\"", "{\"b\":1", "[1]", "\u{0}",
        ] {
            assert_eq!(text(json, "a"), None, "{json}");
        }
        assert_eq!(text(&"[".repeat(100_000), "a"), None);
        assert_eq!(text(&format!("{{\"x\":{}", "[".repeat(100_000)), "a"), None);
    }

    #[test]
    fn canonical_json_is_the_same_for_the_same_value() {
        let one = canonical(r#"{ "b" : [1.0, 2.50, -0.0, 1e2], "a": {"y": null, "x": "\u00e9"} }"#);
        let two = canonical(r#"{"a":{"x":"é","y":null},"b":[1,2.5,0,100]}"#);
        assert_eq!(
            one.as_deref(),
            Some(r#"{"a":{"x":"é","y":null},"b":[1,2.5,0,100]}"#)
        );
        assert_eq!(one, two);
        assert_eq!(
            one.as_deref().and_then(canonical),
            one,
            "again changes nothing"
        );
        assert_eq!(canonical("{a:1}"), None);
        assert_eq!(canonical(&"[".repeat(100_000)), None);
    }
}
