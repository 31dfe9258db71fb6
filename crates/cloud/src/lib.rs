//! OpenAI-compatible endpoints
