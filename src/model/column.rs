//! How a field of a row becomes an Arrow column, and the macro that declares a table once: struct, schema and arrays.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array,
    Int64Array, ListBuilder, StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, TimeUnit};

/// What redaction does with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Nothing a sender wrote freely: ids we checked, words of ours, hashes, numbers.
    Keep,
    /// Free text; JSON inside it is found by looking.
    Text,
    /// A JSON document of ours, with sender's values in it.
    Json,
}

/// One column of a table: its name, its Arrow type and what redaction does with it.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name in SQL.
    pub name: &'static str,
    /// Arrow type; the subset that Delta Lake can hold.
    pub data_type: DataType,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// What redaction does with it.
    pub privacy: Privacy,
}

impl Column {
    /// Returns the Arrow field.
    pub fn field(&self) -> Field {
        Field::new(self.name, self.data_type.clone(), self.nullable)
    }
}

/// A field type that can stand in a row: it knows its Arrow type and how many of it become one array.
///
/// Most of a table's columns are empty in most batches, so an empty one is told first and costs one allocation.
pub trait Cell: Sized {
    /// The Arrow type of the column.
    fn data_type() -> DataType;
    /// Whether the column may hold nulls.
    const NULLABLE: bool = false;
    /// Builds the column from the field of each row, in order.
    fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef
    where
        Self: 'a;
}

/// One field of each row of a batch; may be gone over twice.
pub trait Cells<'a, C: 'a>: ExactSizeIterator<Item = &'a C> + Clone {}

impl<'a, C: 'a, I: ExactSizeIterator<Item = &'a C> + Clone> Cells<'a, C> for I {}

/// A row of a table, declared with [`table!`](crate::model::column).
pub trait Row: Sized {
    /// Returns the columns in the order of the schema.
    fn columns() -> Vec<Column>;
    /// Turns rows into arrays, one a column, in the order of [`Row::columns`].
    fn arrays(rows: &[Self]) -> Vec<ArrayRef>;
}

/// Declares a table's row: the struct, its columns and the way into Arrow.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $cell:ty, $privacy:ident;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $cell,)* }

        impl $crate::model::column::Row for $name {
            fn columns() -> Vec<$crate::model::column::Column> {
                vec![$($crate::model::column::Column {
                    name: stringify!($field),
                    data_type: <$cell as $crate::model::column::Cell>::data_type(),
                    nullable: <$cell as $crate::model::column::Cell>::NULLABLE,
                    privacy: $crate::model::column::Privacy::$privacy,
                },)*]
            }
            fn arrays(rows: &[Self]) -> Vec<arrow::array::ArrayRef> {
                vec![$(<$cell as $crate::model::column::Cell>::array(rows.iter().map(|row| &row.$field)),)*]
            }
        }
    };
}
pub(crate) use table;

/// A time in microseconds since the epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub i64);

/// A UTC day, counted from the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i32);

/// An id of `N` bytes, shown as lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Default for Hex<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> std::fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text(&mut [0; 64]))
    }
}

impl<const N: usize> Hex<N> {
    /// Writes the hex text into `room` (ids here are at most 32 bytes long) and returns it.
    fn text(self, room: &mut [u8; 64]) -> &str {
        let room = &mut room[..2 * N];
        hex::encode_to_slice(self.0, room).expect("the room is twice as long as the id");
        std::str::from_utf8(room).expect("hex is ASCII")
    }
}

/// What a text cell looks like from outside: the text, or nothing.
trait Text {
    fn text(&self) -> Option<&str>;
}

macro_rules! text_cells {
    ($($cell:ty: $nullable:literal, $text:expr;)*) => {$(
        impl Text for $cell {
            fn text(&self) -> Option<&str> {
                let text: for<'a> fn(&'a $cell) -> Option<&'a str> = $text;
                text(self)
            }
        }
        impl Cell for $cell {
            const NULLABLE: bool = $nullable;
            fn data_type() -> DataType { DataType::Utf8 }
            fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef where Self: 'a {
                let (mut some, mut bytes) = (0, 0);
                for text in cells.clone().filter_map(|cell| cell.text()) {
                    some += 1;
                    bytes += text.len();
                }
                if some == 0 && $nullable {
                    return new_null_array(&DataType::Utf8, cells.len());
                }
                let mut builder = StringBuilder::with_capacity(cells.len(), bytes);
                cells.for_each(|cell| builder.append_option(cell.text()));
                Arc::new(builder.finish())
            }
        }
    )*};
}

text_cells! {
    String: false, |text| Some(text);
    Option<String>: true, |text| text.as_deref();
    Arc<str>: false, |text| Some(text);
    Option<Arc<str>>: true, |text| text.as_deref();
    &'static str: false, |text| Some(text);
    Option<&'static str>: true, |text| *text;
}

impl<const N: usize> Cell for Hex<N> {
    fn data_type() -> DataType {
        DataType::Utf8
    }
    fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef {
        let mut builder = StringBuilder::with_capacity(cells.len(), cells.len() * 2 * N);
        let mut room = [0; 64];
        cells.for_each(|cell| builder.append_value(cell.text(&mut room)));
        Arc::new(builder.finish())
    }
}

impl<const N: usize> Cell for Option<Hex<N>> {
    const NULLABLE: bool = true;
    fn data_type() -> DataType {
        DataType::Utf8
    }
    fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef {
        let mut builder = StringBuilder::with_capacity(cells.len(), cells.len() * 2 * N);
        let mut room = [0; 64];
        cells.for_each(|cell| builder.append_option(cell.map(|id| id.text(&mut room))));
        Arc::new(builder.finish())
    }
}

macro_rules! plain_cells {
    ($($cell:ty => $array:ty, $data_type:expr, $value:expr;)*) => {$(
        impl Cell for $cell {
            fn data_type() -> DataType { $data_type }
            fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef where Self: 'a {
                let array = <$array>::from_iter_values(cells.map(|cell| $value(*cell)));
                Arc::new(array.with_data_type($data_type))
            }
        }
        impl Cell for Option<$cell> {
            const NULLABLE: bool = true;
            fn data_type() -> DataType { $data_type }
            fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef where Self: 'a {
                if cells.clone().all(Option::is_none) {
                    return new_null_array(&$data_type, cells.len());
                }
                let array: $array = cells.map(|cell| cell.map($value)).collect();
                Arc::new(array.with_data_type($data_type))
            }
        }
    )*};
}

use super::money::Usd;

plain_cells! {
    i16 => Int16Array, DataType::Int16, |cell: i16| cell;
    i32 => Int32Array, DataType::Int32, |cell: i32| cell;
    i64 => Int64Array, DataType::Int64, |cell: i64| cell;
    f64 => Float64Array, DataType::Float64, |cell: f64| cell;
    Day => Date32Array, DataType::Date32, |cell: Day| cell.0;
    Micros => TimestampMicrosecondArray, timestamp(), |cell: Micros| cell.0;
    Usd => Decimal128Array, Usd::data_type_of_column(), |cell: Usd| cell.0;
}

/// The one type of time in our tables.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl Cell for bool {
    fn data_type() -> DataType {
        DataType::Boolean
    }
    fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef {
        Arc::new(cells.map(|cell| Some(*cell)).collect::<BooleanArray>())
    }
}

impl Cell for Option<bool> {
    const NULLABLE: bool = true;
    fn data_type() -> DataType {
        DataType::Boolean
    }
    fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef {
        if cells.clone().all(Option::is_none) {
            return new_null_array(&DataType::Boolean, cells.len());
        }
        Arc::new(cells.copied().collect::<BooleanArray>())
    }
}

/// A list of texts; an empty one is stored as null.
impl Cell for Vec<String> {
    const NULLABLE: bool = true;
    fn data_type() -> DataType {
        DataType::List(Arc::new(list_element()))
    }
    fn array<'a>(cells: impl Cells<'a, Self>) -> ArrayRef {
        if cells.clone().all(Vec::is_empty) {
            return new_null_array(&Self::data_type(), cells.len());
        }
        let mut builder = ListBuilder::new(StringBuilder::new()).with_field(list_element());
        for cell in cells {
            cell.iter()
                .for_each(|text| builder.values().append_value(text));
            builder.append(!cell.is_empty());
        }
        Arc::new(builder.finish())
    }
}

/// Delta Lake's name for what a list holds.
fn list_element() -> Field {
    Field::new("element", DataType::Utf8, true)
}
