//! The SQL doors.
