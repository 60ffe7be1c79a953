//! Parquet and the Delta log on an object store.
