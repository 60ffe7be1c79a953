//! Rows acknowledged but not yet in the table.
