#include "module.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

struct tls_index {
    size_t module, offset;
};
extern "C" void* __tls_get_addr(tls_index*);

namespace emulator {

// "_ZZ1kPfE4tile" is tile within k.
static std::string short_name(const char* mangled) {
    if (!strncmp(mangled, "_ZGV", 4)) return "";
    char* whole = abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr);
    std::string name = whole ? whole : mangled;
    free(whole);
    const size_t colons = name.rfind("::");
    return colons == std::string::npos ? name : name.substr(colons + 2);
}

static void read_symbols(const char* file, std::vector<Variable>& found) {
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(file);
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file + header->e_shoff);
    for (int i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        const char* names = file + sections[sections[i].sh_link].sh_offset;
        const auto* symbols = reinterpret_cast<const Elf64_Sym*>(file + sections[i].sh_offset);
        for (size_t s = 0; s < sections[i].sh_size / sizeof *symbols; ++s)
            if (ELF64_ST_TYPE(symbols[s].st_info) == STT_TLS && symbols[s].st_shndx != SHN_UNDEF)
                found.push_back({symbols[s].st_value, symbols[s].st_size, short_name(names + symbols[s].st_name)});
    }
}

// The __shared__ variables of a library, from the symbol table of its file.
static std::vector<Variable> shared_variables(const char* path) {
    std::vector<Variable> found;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status)) return found;
    void* file = mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    if (file == MAP_FAILED) return found;
    read_symbols(static_cast<const char*>(file), found);
    munmap(file, status.st_size);
    return found;
}

static int inspect(dl_phdr_info* library, size_t, void* data) {
    Kernel found = *static_cast<Kernel*>(data);
    found.base = reinterpret_cast<char*>(library->dlpi_addr);
    for (int i = 0; i < library->dlpi_phnum; ++i) {
        const auto& header = library->dlpi_phdr[i];
        char* begin = found.base + header.p_vaddr;
        if (header.p_type == PT_LOAD) {
            found.segments.push_back({begin, begin + header.p_memsz});
            if (header.p_flags & PF_W) found.data.push_back(found.segments.back());
        }
        if (header.p_type == PT_TLS) {
            found.tls_module = library->dlpi_tls_modid;
            found.shared_bytes = header.p_memsz;
        }
    }
    if (!found.contains(reinterpret_cast<const void*>(found.entry->call))) return 0;
    if (found.shared_bytes) found.variables = shared_variables(library->dlpi_name);
    *static_cast<Kernel*>(data) = found;
    return 1;
}

Kernel find_kernel(const Entry* entry) {
    Kernel kernel{entry, nullptr, {}, {}, 0, 0, {}};
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
