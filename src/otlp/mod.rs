//! Protobuf and JSON bytes <-> `model::RawBatch`.
