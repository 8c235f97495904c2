// Tensor cores, asynchronous copies and wide stores: the only inline PTX, in functions that the emulator has twins of.
//
// Every lane of the warp takes part in mma_* and ldmatrix_*. Fragments are laid out as in the PTX manual, section
// "Matrix multiply-accumulate operation using mma instruction"; with group = lane / 4 and place = lane % 4:
//
//   sum[r]             row group + 8 (r / 2), column 2 place + r % 2                                 16 x 8
//   a[r] (16-bit)      row group + 8 (r % 2), columns 2 place + 8 (r / 2) and the next             16 x 16
//   b[r] (16-bit)      rows 2 place + 8 r and the next, column group                                 16 x 8
//   a[r] (tf32)        row group + 8 (r % 2), column place + 4 (r / 2)                               16 x 8
//   b[r] (tf32)        row place + 4 r, column group                                                  8 x 8
//
// ldmatrix reads 8 x 8 matrices of 16-bit elements, whose rows (16 bytes each, aligned) lanes 0-7, 8-15, ... point to:
// register m of a lane is elements 2 place and 2 place + 1 of row `group` of matrix m; transposed, of column `group`.

#pragma once

#include "common.cuh"

// In the emulator these are the twins in gpugrad/backend/cuda/emulator/include/emulator/tensor_cores.h.
#ifdef GPUGRAD_EMULATOR
#define PTX_SITE , emulator::Site site = emulator::Site::here()  // so that errors name the line of the call
#else
#define PTX_SITE
__device__ __forceinline__ uint32 shared_address(const void* p) { return uint32(__cvta_generic_to_shared(p)); }
#endif

// An address in shared memory, one register wide on a GPU: swizzled addresses are cheap to derive from each other.
struct Shared {
#ifdef GPUGRAD_EMULATOR
    const char* at;  // a pointer, from which the check build knows the array's end
    __device__ __forceinline__ Shared(const void* p) : at(static_cast<const char*>(p)) {}
    __device__ __forceinline__ operator const void*() const { return at; }
#else
    uint32 at;
    __device__ __forceinline__ Shared(const void* p) : at(shared_address(p)) {}
#endif
    // The address whose bits differ in `flipped`, and `bytes` behind that.
    __device__ __forceinline__ Shared moved(uint32 flipped, uint32 bytes) const {
        Shared to = *this;
#ifdef GPUGRAD_EMULATOR
        uint64 address = reinterpret_cast<uint64>(at);
        to.at += (address ^ flipped) + bytes - address;
#else
        to.at = (at ^ flipped) + bytes;
#endif
        return to;
    }
};

// ---- sum += a b, the products added in float

template <typename T> struct IsBfloat16 { static constexpr bool value = false; };
template <> struct IsBfloat16<__nv_bfloat16> { static constexpr bool value = true; };

// T is __half or __nv_bfloat16: two elements a register.
template <typename T>
__device__ __forceinline__ void mma_m16n8k16(float (&sum)[4], const uint32 (&a)[4], const uint32 (&b)[2] PTX_SITE) {
#ifdef GPUGRAD_EMULATOR
    emulator::mma<emulator::SmallLayout<T>>("mma_m16n8k16", site, sum, a, b);
#else
#define PTX_MMA(type)                                                                                    \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 "                          \
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                       \
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])                                \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
    if constexpr (IsBfloat16<T>::value) PTX_MMA("bf16");
    else PTX_MMA("f16");
#undef PTX_MMA
#endif
}

// a and b are floats, rounded by to_tf32.
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&sum)[4], const uint32 (&a)[4], const uint32 (&b)[2] PTX_SITE) {
#ifdef GPUGRAD_EMULATOR
    emulator::mma<emulator::Tf32Layout>("mma_m16n8k8_tf32", site, sum, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// The bits of x with 10 digits after the point, ties away from zero: what a tf32 product reads.
__device__ __forceinline__ uint32 to_tf32(float x) {
#ifdef GPUGRAD_EMULATOR
    return emulator::to_tf32(x);
#else
    uint32 rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
    return rounded;
#endif
}

// What the functions below are given: in the emulator a plain pointer, of which its checks know more.
#ifdef GPUGRAD_EMULATOR
using SharedRow = const void*;
#else
using SharedRow = Shared;
#endif

// 2^x in one instruction, with an error of 2^-22; results below 2^-126 are 0.
__device__ __forceinline__ float fast_exp2(float x) {
#ifdef GPUGRAD_EMULATOR
    return x < -126.0f ? 0.0f : exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

// ---- fragments from shared memory. `row` is 16-byte aligned; of x2, lanes 16-31 give rows that are not read.

__device__ __forceinline__ void ldmatrix_x4(uint32& r0, uint32& r1, uint32& r2, uint32& r3, SharedRow row PTX_SITE) {
#ifdef GPUGRAD_EMULATOR
    emulator::ldmatrix<false>(site, row, r0, r1, r2, r3);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3)
                 : "r"(row.at)
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x4_trans(uint32& r0, uint32& r1, uint32& r2, uint32& r3,
                                                  SharedRow row PTX_SITE) {
#ifdef GPUGRAD_EMULATOR
    emulator::ldmatrix<true>(site, row, r0, r1, r2, r3);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3)
                 : "r"(row.at)
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2(uint32& r0, uint32& r1, SharedRow row PTX_SITE) {
#ifdef GPUGRAD_EMULATOR
    emulator::ldmatrix<false>(site, row, r0, r1);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r0), "=r"(r1)
                 : "r"(row.at)
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2_trans(uint32& r0, uint32& r1, SharedRow row PTX_SITE) {
#ifdef GPUGRAD_EMULATOR
    emulator::ldmatrix<true>(site, row, r0, r1);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r0), "=r"(r1)
                 : "r"(row.at)
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x1(uint32& r0, SharedRow row PTX_SITE) {
#ifdef GPUGRAD_EMULATOR
    emulator::ldmatrix<false>(site, row, r0);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(r0)
                 : "r"(row.at)
                 : "memory");
#endif
}

#ifdef GPUGRAD_EMULATOR
#define PTX_SAME_SITE , site
#else
#define PTX_SAME_SITE
#endif
__device__ __forceinline__ void ldmatrix_x4(uint32 (&r)[4], SharedRow row PTX_SITE) {
    ldmatrix_x4(r[0], r[1], r[2], r[3], row PTX_SAME_SITE);
}
__device__ __forceinline__ void ldmatrix_x4_trans(uint32 (&r)[4], SharedRow row PTX_SITE) {
    ldmatrix_x4_trans(r[0], r[1], r[2], r[3], row PTX_SAME_SITE);
}
__device__ __forceinline__ void ldmatrix_x2(uint32 (&r)[2], SharedRow row PTX_SITE) {
    ldmatrix_x2(r[0], r[1], row PTX_SAME_SITE);
}
__device__ __forceinline__ void ldmatrix_x2_trans(uint32 (&r)[2], SharedRow row PTX_SITE) {
    ldmatrix_x2_trans(r[0], r[1], row PTX_SAME_SITE);
}
#undef PTX_SAME_SITE
#undef PTX_SITE

// ---- asynchronous copies from global to shared memory

// Copies `size` (4, 8 or 16) bytes, aligned to as many: the first `bytes` are read, the rest become 0. With bytes = 0,
// `from` is not read but must still be an address in an array. It has arrived after cp_async_wait, for this thread;
// for the others after a barrier that follows.
template <int size> __device__ __forceinline__ void cp_async(void* to, const void* from, int bytes = size) {
    static_assert(size == 4 || size == 8 || size == 16, "cp.async moves 4, 8 or 16 bytes");
#ifdef GPUGRAD_EMULATOR
    emulator::copy_async(to, from, size, bytes);
#else
    const uint64 source = __cvta_generic_to_global(from);
    if constexpr (size == 16)  // past the first-level cache
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(source), "r"(bytes)
                     : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)), "l"(source), "n"(size),
                     "r"(bytes)
                     : "memory");
#endif
}

// Ends a group of copies: those that this thread began since the last group.
__device__ __forceinline__ void cp_async_commit() {
#ifdef GPUGRAD_EMULATOR
    emulator::commit_copies();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most the `left` latest groups of this thread are under way.
template <int left> __device__ __forceinline__ void cp_async_wait() {
#ifdef GPUGRAD_EMULATOR
    emulator::wait_copies(left);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
#endif
}

// ---- wide stores

// Stores 16 bytes to an aligned address in global memory. The compiler takes a
// struct's store apart where the same function also stores its elements one by one.
__device__ __forceinline__ void store_16(void* to, uint4 words) {
#ifdef GPUGRAD_EMULATOR
    *static_cast<uint4*>(to) = words;
#else
    asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "r"(words.x),
                 "r"(words.y), "r"(words.z), "r"(words.w)
                 : "memory");
#endif
}

// `write` of common.cuh for the loops in which the compiler would take it apart.
template <int N, typename T> __device__ __forceinline__ void write_whole(T* to, const acc_t<T>* from) {
    Vec<T, N> stored;
#pragma unroll
    for (int i = 0; i < N; ++i) stored.at[i] = store<T>(from[i]);
    if constexpr (sizeof(stored) == 16) {
        uint4 words;
        memcpy(&words, &stored, sizeof(words));
        store_16(to, words);
    } else {
        *reinterpret_cast<Vec<T, N>*>(to) = stored;
    }
}
