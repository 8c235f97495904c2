#include "module.h"

#include <link.h>

struct tls_index {
    size_t module, offset;
};
extern "C" void* __tls_get_addr(tls_index*);

namespace emulator {

static int inspect(dl_phdr_info* library, size_t, void* data) {
    Kernel found = *static_cast<Kernel*>(data);
    found.base = reinterpret_cast<char*>(library->dlpi_addr);
    for (int i = 0; i < library->dlpi_phnum; ++i) {
        const auto& header = library->dlpi_phdr[i];
        char* begin = found.base + header.p_vaddr;
        if (header.p_type == PT_LOAD) found.segments.push_back({begin, begin + header.p_memsz});
        if (header.p_type == PT_TLS) {
            found.tls_module = library->dlpi_tls_modid;
            found.shared_bytes = header.p_memsz;
        }
    }
    if (!found.contains(reinterpret_cast<const void*>(found.entry->call))) return 0;
    *static_cast<Kernel*>(data) = found;
    return 1;
}

Kernel find_kernel(const Entry* entry) {
    Kernel kernel{entry, nullptr, {}, 0, 0};
    dl_iterate_phdr(inspect, &kernel);
    return kernel;
}

bool Kernel::contains(const void* address) const {
    for (const auto& segment : segments)
        if (segment.contains(address)) return true;
    return false;
}

char* Kernel::static_shared() const {
    if (!shared_bytes) return nullptr;
    tls_index start{tls_module, 0};
    return static_cast<char*>(__tls_get_addr(&start));
}

}  // namespace emulator
