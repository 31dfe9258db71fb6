//! llama.cpp behind a small safe API: load, generate, synthetic benchmarks, exact buffer sizes
