//! How many bytes each row of an array holds, whatever its type.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ByteView, OffsetSizeTrait};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use datafusion::common::Result;

/// What one entry of a list or view costs beside its bytes.
const ENTRY_BYTES: u64 = 16;

/// Returns the bytes of each row; for types of varying size, what the row refers to counts.
pub(crate) fn row_bytes(array: &dyn Array) -> Vec<u64> {
    match array.data_type() {
        DataType::Utf8 => lengths(array.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => lengths(array.as_string::<i64>().value_offsets()),
        DataType::Binary => lengths(array.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => lengths(array.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => views(array.as_string_view().views()),
        DataType::BinaryView => views(array.as_binary_view().views()),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            spans(list.value_offsets(), list.values())
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            spans(list.value_offsets(), list.values())
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let entries: ArrayRef = std::sync::Arc::new(map.entries().clone());
            spans(map.value_offsets(), &entries)
        }
        DataType::FixedSizeList(_, _) => {
            let list = array.as_fixed_size_list();
            let width = usize::try_from(list.value_length()).unwrap_or(0);
            let child = row_bytes(list.values());
            (0..list.len())
                .map(|row| child.iter().skip(row * width).take(width).sum())
                .collect()
        }
        DataType::Struct(_) => {
            let mut rows = vec![0_u64; array.len()];
            for column in array.as_struct().columns() {
                for (row, bytes) in rows.iter_mut().zip(row_bytes(column)) {
                    *row = row.saturating_add(bytes);
                }
            }
            rows
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let values = row_bytes(dictionary.values());
            let keys = dictionary.normalized_keys();
            keys.iter()
                .map(|key| values.get(*key).copied().unwrap_or(0))
                .collect()
        }
        DataType::FixedSizeBinary(width) => {
            vec![u64::try_from(*width).unwrap_or(0); array.len()]
        }
        other => vec![other.primitive_width().map_or(ENTRY_BYTES, |w| w as u64); array.len()],
    }
}

/// Returns how many entries each list of a column has; none for what is not a list.
pub(crate) fn list_lengths(array: &dyn Array) -> Vec<u64> {
    match array.data_type() {
        DataType::List(_) => lengths(array.as_list::<i32>().value_offsets()),
        DataType::LargeList(_) => lengths(array.as_list::<i64>().value_offsets()),
        DataType::Map(..) => lengths(array.as_map().value_offsets()),
        DataType::FixedSizeList(_, width) => {
            vec![u64::try_from(*width).unwrap_or(0); array.len()]
        }
        _ => vec![0; array.len()],
    }
}

/// Returns the column as 64-bit integers, null as 0.
pub(super) fn integers(array: &dyn Array) -> Result<Vec<i64>> {
    let array = cast(array, &DataType::Int64)?;
    let array = array.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
    Ok(array.iter().map(Option::unwrap_or_default).collect())
}

/// Returns the column as text that can be borrowed row by row.
pub(super) fn texts(array: &dyn Array) -> Result<ArrayRef> {
    Ok(cast(array, &DataType::Utf8View)?)
}

fn lengths<O: OffsetSizeTrait>(offsets: &[O]) -> Vec<u64> {
    offsets
        .windows(2)
        .map(|pair| (pair[1].as_usize() - pair[0].as_usize()) as u64)
        .collect()
}

fn views(views: &[u128]) -> Vec<u64> {
    views
        .iter()
        .map(|view| u64::from(ByteView::from(*view).length))
        .collect()
}

fn spans<O: OffsetSizeTrait>(offsets: &[O], child: &ArrayRef) -> Vec<u64> {
    let mut sum = 0_u64;
    let mut before = vec![0_u64];
    before.extend(row_bytes(child).into_iter().map(|bytes| {
        sum = sum.saturating_add(bytes.saturating_add(1));
        sum
    }));
    let at = |offset: O| before.get(offset.as_usize()).copied().unwrap_or(sum);
    offsets
        .windows(2)
        .map(|pair| at(pair[1]) - at(pair[0]))
        .collect()
}
