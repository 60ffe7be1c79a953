//! The value of an attribute, as OTLP knows it.

/// A value that a sender attached to a span, a resource, an event or a log record (OTLP's `AnyValue`).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing was set.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A signed integer; OTLP has no unsigned ones.
    Int(i64),
    /// A floating point number, NaN and infinities included.
    Double(f64),
    /// Text.
    Str(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list; elements may differ in kind.
    Array(Vec<Value>),
    /// Names and values, in the order sent; a name may occur twice, the last one counts.
    Map(Attributes),
}

/// Names and values in the order sent.
pub type Attributes = Vec<(String, Value)>;

impl Value {
    /// Returns the text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }
}
