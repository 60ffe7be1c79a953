//! Many GenAI dialects in, one schema out.
