//! One request as rows of our tables: Arrow, one record batch a table.
//!
//! Within a batch every key occurs once (`normalise` sees to it), so that what belongs to a span can be told by the
//! span's key alone.

use arrow::array::RecordBatch;

use super::column::Row;
use super::schema::Table;

/// The rows of one request, by table.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    tables: [Option<RecordBatch>; Table::ALL.len()],
}

impl Batch {
    /// Returns the rows of a table; `None` where there are none.
    pub fn table(&self, table: Table) -> Option<&RecordBatch> {
        self.tables[table.index()].as_ref()
    }

    /// Returns the tables that have rows.
    pub fn tables(&self) -> impl Iterator<Item = (Table, &RecordBatch)> {
        Table::ALL
            .into_iter()
            .zip(&self.tables)
            .filter_map(|(table, rows)| Some((table, rows.as_ref()?)))
    }

    /// Puts the rows of a table in; no rows are the same as none.
    ///
    /// # Panics
    /// In debug builds, where the rows have not the table's schema.
    pub fn set(&mut self, table: Table, rows: RecordBatch) {
        debug_assert_eq!(
            rows.schema().fields(),
            table.schema().fields(),
            "{}",
            table.name()
        );
        self.tables[table.index()] = (rows.num_rows() > 0).then_some(rows);
    }

    /// Puts rows of a table in, as columns.
    pub fn set_rows<R: Row>(&mut self, table: Table, rows: &[R]) {
        if rows.is_empty() {
            return;
        }
        let rows = RecordBatch::try_new(table.schema(), R::arrays(rows))
            .expect("a row type builds exactly the columns of its table");
        self.set(table, rows);
    }

    /// Returns how many rows there are in all tables.
    pub fn num_rows(&self) -> usize {
        self.tables().map(|(_, rows)| rows.num_rows()).sum()
    }

    /// Returns whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.num_rows() == 0
    }
}
