// Pooling over windows in one to three spatial axes (fewer than three: leading axes of one element).
//
//     max_pool_forward    the maximum of each window and its place; or the element of another array at that place
//     max_pool_backward   each input adds the gradients of the windows whose maximum it is
//     sum_pool            the sum of each window
//     sum_pool_adjoint    each input adds up the windows that hold it
//
// Arrays are (planes, *S, width): channels in front, planes = N * C and width = 1, or channels last, planes = N and
// width = C, where V channels are moved at once (16 bytes). A thread has one position of the planes, whose window it
// works out once, and goes through planes; threads that are neighbours have neighbouring positions.
//
// Windows of 2 x 2 and 3 x 3 (K) are known to the compiler: all their elements are on their way before any is used.
//
// Backward gathers: an input looks at the windows that can hold it, in order, so no sum needs an atomic operation and
// each is added up in the same order every time. The place of a maximum is its offset in the window, one byte for
// windows of up to 255 elements. Bytes moved: in + out + 1 for each output.

#include "common.cuh"

constexpr int kThreads = 256;
// Blocks of a multiprocessor: registers hold the vectors of a whole window where it is known.
template <int V, int K> constexpr int kBlocks = K == 3 && V > 1 ? 2 : V == 8 ? 3 : 4;

struct Windows {
    int size[3], out[3], kernel[3], stride[3], dilation[3], low[3];  // low: the padding before each axis
    int64 planes, width;
};

// A thread's position in planes of `size`: coordinates, and the first of its V channels.
struct Site {
    int at[3];
    int64 channel;
    bool inside;

    __device__ __forceinline__ Site(const int (&size)[3], int64 width, int V) {
        int64 i = thread_index();
        channel = i % (width / V) * V, i /= width / V;
        at[2] = int(i % size[2]), i /= size[2];
        at[1] = int(i % size[1]), i /= size[1];
        inside = i < size[0];
        at[0] = int(i);
    }
};

__device__ __forceinline__ int64 first_plane() { return int64(blockIdx.y) * blockDim.y + threadIdx.y; }
__device__ __forceinline__ int64 planes_on() { return int64(gridDim.y) * blockDim.y; }

// The offset of a position in an array of planes of `size`.
__device__ __forceinline__ int64 place(int64 plane, const int (&size)[3], int a, int b, int c, int64 width) {
    return (((plane * size[0] + a) * size[1] + b) * size[2] + c) * width;
}

__device__ __forceinline__ int ceil_divided(int a, int b) { return (a + b - 1) / b; }  // of a >= 0

// ---- the elements of a window

// The elements of the window of output `at` that are not padding: [begin, end) along each axis, in kernel offsets.
template <int K> struct Inside {
    int begin[3], end[3], start[3];
    bool whole = true;

    __device__ __forceinline__ Inside(const Windows& w, const int (&at)[3]) {
        for (int axis = 0; axis < 3; ++axis) {
            start[axis] = at[axis] * w.stride[axis] - w.low[axis];
            begin[axis] = start[axis] < 0 ? ceil_divided(-start[axis], w.dilation[axis]) : 0;
            const int left = w.size[axis] - start[axis];
            end[axis] = left <= 0 ? 0 : min(w.kernel[axis], ceil_divided(left, w.dilation[axis]));
            whole = whole && begin[axis] == 0 && end[axis] == w.kernel[axis];
        }
    }

    // `body(k, at, values)` for each element of V channels of x, k its offset in the window and `at` that in the array.
    template <int V, typename T, typename Body>
    __device__ __forceinline__ void each(const Windows& w, int64 plane, const T* x, Body body) const {
        acc_t<T> value[V];
        if constexpr (K > 0) {
            if (whole) {
                const int64 first = place(plane, w.size, start[0], start[1], start[2], w.width);
                const int64 across = w.dilation[2] * w.width, down = w.dilation[1] * w.size[2] * w.width;
                Vec<T, V> found[K * K];
#pragma unroll
                for (int k = 0; k < K * K; ++k)
                    found[k] = *reinterpret_cast<const Vec<T, V>*>(x + first + k / K * down + k % K * across);
#pragma unroll
                for (int k = 0; k < K * K; ++k) {
                    read(value, found[k].at);
                    body(k, first + k / K * down + k % K * across, value);
                }
                return;
            }
        }
        for (int a = begin[0]; a < end[0]; ++a)
            for (int b = begin[1]; b < end[1]; ++b)
                for (int c = begin[2]; c < end[2]; ++c) {
                    const int64 at = place(plane, w.size, start[0] + a * w.dilation[0], start[1] + b * w.dilation[1],
                                           start[2] + c * w.dilation[2], w.width);
                    read(value, x + at);
                    body((a * w.kernel[1] + b) * w.kernel[2] + c, at, value);
                }
    }

    // The flat position in the plane of the element k of the window; -1 for k = -1.
    __device__ __forceinline__ int64 position(const Windows& w, int k) const {
        if (k < 0) return -1;
        const int a = k / (w.kernel[1] * w.kernel[2]), b = k / w.kernel[2] % w.kernel[1], c = k % w.kernel[2];
        return place(0, w.size, start[0] + a * w.dilation[0], start[1] + b * w.dilation[1],
                     start[2] + c * w.dilation[2], 1);
    }
};

// The outputs whose windows can hold input `at`: [begin, end) along each axis.
struct Holding {
    int begin[3], end[3], from[3];

    __device__ __forceinline__ Holding(const Windows& w, const int (&at)[3]) {
        for (int axis = 0; axis < 3; ++axis) {
            from[axis] = at[axis] + w.low[axis];
            const int before = from[axis] - (w.kernel[axis] - 1) * w.dilation[axis];
            begin[axis] = before <= 0 ? 0 : ceil_divided(before, w.stride[axis]);
            end[axis] = min(w.out[axis], from[axis] / w.stride[axis] + 1);
        }
    }

    // The kernel offset along `axis` at which the window of output o has the input; -1 where it steps over it.
    __device__ __forceinline__ int offset(const Windows& w, int axis, int o) const {
        const int steps = from[axis] - o * w.stride[axis], dilation = w.dilation[axis];
        return dilation == 1 ? steps : steps % dilation ? -1 : steps / dilation;
    }

    // `body(k, at, values)` for each window that holds the input, at offset k, of V channels of y; `at` is the window's
    // offset in the array.
    template <int V, typename T, typename Body>
    __device__ __forceinline__ void each(const Windows& w, int64 plane, const T* y, Body body) const {
        each(w, plane, [&](int k, int64 at) {
            acc_t<T> value[V];
            read(value, y + at);
            body(k, at, value);
        });
    }

    // `body(k, at)` for each of these windows.
    template <typename Body> __device__ __forceinline__ void each(const Windows& w, int64 plane, Body body) const {
        for (int a = begin[0]; a < end[0]; ++a) {
            const int ka = offset(w, 0, a);
            for (int b = begin[1]; ka >= 0 && b < end[1]; ++b) {
                const int kb = offset(w, 1, b);
                for (int c = begin[2]; kb >= 0 && c < end[2]; ++c) {
                    const int kc = offset(w, 2, c);
                    if (kc < 0) continue;
                    body((ka * w.kernel[1] + kb) * w.kernel[2] + kc, place(plane, w.out, a, b, c, w.width));
                }
            }
        }
    }
};

// ---- the maximum: the first of equals, the first NaN before all; never from the padding

// Each of out, offsets and positions may be null. out: the maxima of x, or the elements of `from` at their places.
template <typename T, int V, typename Offset, int K>
__global__ void __launch_bounds__(kThreads, kBlocks<V, K>) max_pool_forward(
        T* __restrict__ out, Offset* __restrict__ offsets, int64* __restrict__ positions, const T* __restrict__ x,
        const T* __restrict__ from, Windows w) {
    using A = acc_t<T>;
    const Site site(w.out, w.width, V);
    if (!site.inside) return;
    const Inside<K> window(w, site.at);
    for (int64 plane = first_plane(); plane < w.planes; plane += planes_on()) {
        A best[V], picked[V];
        int found[V];
        for (int j = 0; j < V; ++j) best[j] = Max::zero<A>(), picked[j] = A(0), found[j] = -1;
        window.template each<V>(w, plane, x + site.channel, [&](int k, int64 at, const A (&value)[V]) {
            for (int j = 0; j < V; ++j) {
                const bool better = value[j] > best[j] || (value[j] != value[j] && best[j] == best[j]);
                if (!better && found[j] >= 0) continue;
                best[j] = value[j];
                found[j] = k;
                if (from) picked[j] = load(from[at + site.channel + j]);
            }
        });
        const int64 at = place(plane, w.out, site.at[0], site.at[1], site.at[2], w.width) + site.channel;
        if (out && from) write(out + at, picked);
        else if (out) write(out + at, best);
        if (offsets) {
            Vec<Offset, V> chosen;
            for (int j = 0; j < V; ++j) chosen.at[j] = Offset(max(found[j], 0));
            *reinterpret_cast<Vec<Offset, V>*>(offsets + at) = chosen;
        }
        if (positions)
            for (int j = 0; j < V; ++j) positions[at + j] = window.position(w, found[j]);
    }
}

template <typename T, int V, typename Offset>
__global__ void __launch_bounds__(kThreads, 4) max_pool_backward(
        T* __restrict__ gx, const T* __restrict__ g, const Offset* __restrict__ offsets, Windows w) {
    using A = acc_t<T>;
    const Site site(w.size, w.width, V);
    if (!site.inside) return;
    const Holding windows(w, site.at);
    for (int64 plane = first_plane(); plane < w.planes; plane += planes_on()) {
        A sum[V] = {};
        windows.each(w, plane, [&](int k, int64 at) {
            const Vec<Offset, V> chosen = *reinterpret_cast<const Vec<Offset, V>*>(offsets + at + site.channel);
            A grad[V];
            read(grad, g + at + site.channel);
            for (int j = 0; j < V; ++j) sum[j] += int(chosen.at[j]) == k ? grad[j] : A(0);
        });
        write(gx + place(plane, w.size, site.at[0], site.at[1], site.at[2], w.width) + site.channel, sum);
    }
}

// ---- the sum

// Each position of planes of `size` adds up what Places gives it: the elements of its window, or the windows around it.
template <typename Places, int V, typename T>
__device__ __forceinline__ void add_up(T* __restrict__ out, const T* __restrict__ x, const Windows& w,
                                       const int (&size)[3]) {
    using A = acc_t<T>;
    const Site site(size, w.width, V);
    if (!site.inside) return;
    const Places places(w, site.at);
    for (int64 plane = first_plane(); plane < w.planes; plane += planes_on()) {
        A sum[V] = {};
        places.template each<V>(w, plane, x + site.channel, [&](int, int64, const A (&value)[V]) {
            for (int j = 0; j < V; ++j) sum[j] += value[j];
        });
        write(out + place(plane, size, site.at[0], site.at[1], site.at[2], w.width) + site.channel, sum);
    }
}

template <typename T, int V, int K>
__global__ void __launch_bounds__(kThreads, kBlocks<V, K>) sum_pool(T* __restrict__ out, const T* __restrict__ x, Windows w) {
    add_up<Inside<K>, V>(out, x, w, w.out);
}

template <typename T, int V>
__global__ void __launch_bounds__(kThreads, 4) sum_pool_adjoint(
        T* __restrict__ out, const T* __restrict__ y, Windows w) {
    add_up<Holding, V>(out, y, w, w.size);
}
