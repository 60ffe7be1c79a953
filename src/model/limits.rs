//! The limits on what one sender may put into one span. Each has a test on both sides.

/// How deep an attribute value may nest; a deeper one costs its span.
pub const VALUE_DEPTH_MAX: usize = 32;
/// Events kept of one span; more are counted as dropped.
pub const EVENTS_MAX: usize = 128;
/// Links kept of one span; more are counted as dropped.
pub const LINKS_MAX: usize = 128;
/// Bytes kept of one attribute value that is not content; a longer text is cut and the span says so.
pub const ATTRIBUTE_BYTES_MAX: usize = 64 * 1024;
/// Bytes kept of one piece of content; a longer one is cut and marked.
pub const CONTENT_BYTES_MAX: usize = 1024 * 1024;
/// Decompressed bytes of one HTTP request.
pub const HTTP_BODY_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Decompressed bytes of one gRPC message.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
