// llama.cpp gives its exact memory breakdown only through a C++ header that the crate does not expose
// (src/llama-ext.h). The types below repeat that header's layout; a test holds the sums against llama.cpp's log.
#include <cstddef>
#include <map>

struct llama_context;
typedef struct ggml_backend_buffer_type * ggml_backend_buffer_type_t;

struct llama_memory_breakdown_data {
    size_t model;
    size_t context;
    size_t compute;
};
using llama_memory_breakdown = std::map<ggml_backend_buffer_type_t, llama_memory_breakdown_data>;

llama_memory_breakdown llama_get_memory_breakdown(const struct llama_context * ctx);
extern "C" const char * ggml_backend_buft_name(ggml_backend_buffer_type_t buft);

using visit_fn = void (*)(void * user, const char * buffer_type, size_t model, size_t context, size_t compute);

// Calls `visit` once a buffer type. No exception may cross into Rust.
extern "C" bool pocketbench_memory_breakdown(const struct llama_context * ctx, visit_fn visit, void * user) {
    try {
        for (const auto & [buft, data] : llama_get_memory_breakdown(ctx)) {
            visit(user, ggml_backend_buft_name(buft), data.model, data.context, data.compute);
        }
        return true;
    } catch (...) {
        return false;
    }
}
