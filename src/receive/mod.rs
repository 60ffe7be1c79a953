//! The OTLP doors.
