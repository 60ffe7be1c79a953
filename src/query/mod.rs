//! The DataFusion session, its limits and functions.
