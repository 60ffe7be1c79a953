//! Attributes and values (`KeyValue`, `AnyValue`) in JSON.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::field::{self, Raw, RawList, parse};
use crate::model::limits::VALUE_DEPTH_MAX;
use crate::model::{Attributes, Value};
use crate::otlp::allowance::Allowance;
use crate::otlp::refusal::{Refusal, shown};

/// Reads the values of one item and counts what they take.
#[derive(Debug)]
pub(super) struct Values {
    allowance: Allowance,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Raw<'a>,
    #[serde(borrow)]
    value: Raw<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnyValue<'a> {
    #[serde(borrow, alias = "string_value")]
    string_value: Raw<'a>,
    #[serde(borrow, alias = "bool_value")]
    bool_value: Raw<'a>,
    #[serde(borrow, alias = "int_value")]
    int_value: Raw<'a>,
    #[serde(borrow, alias = "double_value")]
    double_value: Raw<'a>,
    #[serde(borrow, alias = "array_value")]
    array_value: Raw<'a>,
    #[serde(borrow, alias = "kvlist_value", alias = "kvListValue")]
    kvlist_value: Raw<'a>,
    #[serde(borrow, alias = "bytes_value")]
    bytes_value: Raw<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List<'a> {
    #[serde(borrow)]
    values: RawList<'a>,
}

const BASE64: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, BASE64);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, BASE64);

impl Values {
    /// Starts an item: a span, a log record, a metric, a resource.
    pub(super) fn of_item(raw: &RawValue) -> Self {
        Self {
            allowance: Allowance::of_values(raw.get().len()),
        }
    }

    /// Counts something else that takes memory: an event, a link, a quantile.
    pub(super) fn count(&mut self) -> Result<(), Refusal> {
        self.allowance.take()
    }

    /// Reads a list of attributes.
    pub(super) fn attributes(&mut self, list: RawList<'_>) -> Result<Attributes, Refusal> {
        self.entries(list, 0)
    }

    /// Reads one value.
    pub(super) fn value(&mut self, raw: Raw<'_>) -> Result<Value, Refusal> {
        self.any(raw, 0)
    }

    fn entries(&mut self, list: RawList<'_>, depth: usize) -> Result<Attributes, Refusal> {
        let list = list.unwrap_or_default();
        let mut entries = Attributes::with_capacity(list.len());
        for raw in list {
            self.allowance.take()?;
            let entry: KeyValue<'_> = parse(raw, "an attribute")?;
            let key = field::text(entry.key, "an attribute's key")?;
            let value = self
                .any(entry.value, depth)
                .map_err(|refusal| refusal.within(format_args!("attribute {}", shown(&key))))?;
            entries.push((key, value));
        }
        Ok(entries)
    }

    /// `depth` is the number of lists and maps around this value.
    fn any(&mut self, raw: Raw<'_>, depth: usize) -> Result<Value, Refusal> {
        let Some(raw) = raw else {
            return Ok(Value::Null);
        };
        let any: AnyValue<'_> = parse(raw, "a value")?;
        Ok(match any {
            AnyValue {
                string_value: text @ Some(_),
                ..
            } => Value::Str(field::text(text, "string_value")?),
            AnyValue {
                int_value: int @ Some(_),
                ..
            } => Value::Int(field::integer(int, "int_value")?),
            AnyValue {
                bool_value: bool @ Some(_),
                ..
            } => Value::Bool(field::boolean(bool, "bool_value")?),
            AnyValue {
                double_value: double @ Some(_),
                ..
            } => field::double(double, "double_value")?.map_or(Value::Null, Value::Double),
            AnyValue {
                array_value: Some(list),
                ..
            } => self.array(list, deeper(depth)?)?,
            AnyValue {
                kvlist_value: Some(list),
                ..
            } => {
                let list: List<'_> = parse(list, "kvlist_value")?;
                Value::Map(self.entries(list.values, deeper(depth)?)?)
            }
            AnyValue {
                bytes_value: bytes @ Some(_),
                ..
            } => Value::Bytes(base64(&field::text(bytes, "bytes_value")?)?),
            AnyValue { .. } => Value::Null,
        })
    }

    fn array(&mut self, raw: &RawValue, depth: usize) -> Result<Value, Refusal> {
        let list: List<'_> = parse(raw, "array_value")?;
        let list = list.values.unwrap_or_default();
        let mut elements = Vec::with_capacity(list.len());
        for raw in list {
            self.allowance.take()?;
            let raw = Some(raw).filter(|raw| raw.get() != "null");
            elements.push(self.any(raw, depth)?);
        }
        Ok(Value::Array(elements))
    }
}

fn deeper(depth: usize) -> Result<usize, Refusal> {
    if depth < VALUE_DEPTH_MAX {
        Ok(depth + 1)
    } else {
        Err(Refusal::too_deep())
    }
}

fn base64(text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .map_err(|_| Refusal::malformed("bytes_value is not base64"))
}
