// Regions of interest: boxes (x1, y1, x2, y2) in images.
//
//     nms_overlaps        which pairs of boxes overlap too much, one bit each
//     nms_choose          from the best box downward, those that no chosen one overlaps
//     roi_align_forward   the mean of each bin of a region: sampled points, each between four pixels
//     roi_pool_forward    the maximum of each bin, and its place
//     roi_backward        each pixel adds what comes from the bins that it is in
//
// Feature maps are (N, C, H, W), regions (K, 5) with the image's number in front, outputs (K, C, rows, columns). In the
// forward kernels a thread has an output. Backward gathers: a block has a pixel, its threads the channels; it looks at
// the regions that reach the pixel in order, so sums need no atomic operation and are the same every time. The weights
// of a region's bins at the pixel are the product of one along each axis, worked out once for all channels.
//
// Bits of overlaps: n^2 / 8 bytes are written and read once. nms_choose is one block: it settles 64 boxes at a time,
// bit by bit in one thread, and then all threads add up the bits of those that were chosen.

#include "common.cuh"

constexpr int kThreads = 128;
constexpr int kBits = 64;
constexpr int kBins = 64;  // the most rows and columns of bins

// Products that are not fused with the sum they go into: each device then decides alike where values are equal.
__device__ __forceinline__ float product(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ double product(double a, double b) { return __dmul_rn(a, b); }

// ---- suppression

template <typename A> struct Box { A x1, y1, x2, y2; };

template <typename A> __device__ __forceinline__ A area(const Box<A>& box) {
    return product(box.x2 - box.x1, box.y2 - box.y1);
}

template <typename A> __device__ __forceinline__ bool overlaps(const Box<A>& a, const Box<A>& b, A threshold) {
    const A width = min(a.x2, b.x2) - max(a.x1, b.x1), height = min(a.y2, b.y2) - max(a.y1, b.y1);
    const A both = product(max(width, A(0)), max(height, A(0)));
    return both > product(area(a) + area(b) - both, threshold);
}

// bits[i][w]: bit j says that box i and the later box 64 w + j overlap. Boxes are sorted, best first. Words of blocks
// before the diagonal are not written.
template <typename A>
__global__ void __launch_bounds__(kBits) nms_overlaps(uint64* __restrict__ bits, const A* __restrict__ boxes,
                                                      int64 count, A threshold) {
    if (blockIdx.x < blockIdx.y) return;
    __shared__ Box<A> others[kBits];
    const int64 first = int64(blockIdx.x) * kBits, i = int64(blockIdx.y) * kBits + threadIdx.x;
    const Box<A>* all = reinterpret_cast<const Box<A>*>(boxes);
    if (first + threadIdx.x < count) others[threadIdx.x] = all[first + threadIdx.x];
    __syncthreads();
    if (i >= count) return;
    const Box<A> own = all[i];
    uint64 found = 0;
    for (int j = 0; j < kBits; ++j)
        if (first + j > i && first + j < count && overlaps(own, others[j], threshold)) found |= uint64(1) << j;
    bits[i * gridDim.x + blockIdx.x] = found;
}

__global__ void __launch_bounds__(kThreads) nms_choose(bool* __restrict__ chosen, const uint64* __restrict__ bits,
                                                       int64 count) {
    uint64* gone = dynamic_shared<uint64>();  // a bit for each box
    __shared__ uint64 kept;
    const int64 words = (count + kBits - 1) / kBits;
    for (int64 w = threadIdx.x; w < words; w += kThreads) gone[w] = 0;
    __syncthreads();
    for (int64 w = 0; w < words; ++w) {
        const int64 first = w * kBits;
        const int here = int(min(int64(kBits), count - first));
        if (threadIdx.x == 0) {
            uint64 suppressed = gone[w], stay = 0;
            for (int j = 0; j < here; ++j) {
                if (suppressed >> j & 1) continue;
                stay |= uint64(1) << j;
                suppressed |= bits[(first + j) * words + w];
            }
            kept = stay;
        }
        __syncthreads();
        if (int(threadIdx.x) < here) chosen[first + threadIdx.x] = kept >> threadIdx.x & 1;
        for (int64 behind = w + 1 + threadIdx.x; behind < words; behind += kThreads) {
            uint64 all = gone[behind];
            for (int j = 0; j < here; ++j)
                if (kept >> j & 1) all |= bits[(first + j) * words + behind];
            gone[behind] = all;
        }
        __syncthreads();
    }
}

// ---- the bins of regions

struct Regions {
    int64 count, images, channels;
    int height, width, rows, columns, ratio, aligned;
};

// Sampled points along an axis of one region.
template <typename A> struct Samples {
    A start, side, step, share;  // share: the weight of a point in the mean of a bin
    int count, size;

    __device__ __forceinline__ Samples(A low, A high, int size, int bins, A scale, const Regions& r) : size(size) {
        const A shift = r.aligned ? A(0.5) : A(0);
        start = product(low, scale) - shift;
        A length = product(high, scale) - shift - start;
        if (!r.aligned) length = max(length, A(1));
        side = length / A(bins);
        count = r.ratio > 0 ? r.ratio : max(int(ceil(side)), 0);
        share = A(1) / A(max(count, 1));
        step = side * share;
    }

    // The two pixels around a point and their weights; false for a point outside.
    __device__ __forceinline__ bool at(int bin, int number, int& low, int& high, A& near, A& far) const {
        A place = start + A(bin) * side + (A(number) + A(0.5)) * step;
        if (!(place >= A(-1) && place <= A(size))) return false;
        place = min(max(place, A(0)), A(size - 1));
        low = int(place);
        high = min(low + 1, size - 1);
        far = place - A(low);
        near = A(1) - far;
        return true;
    }

    __device__ __forceinline__ bool reaches(int pixel, int bins) const {
        return A(pixel) >= start - A(1) && A(pixel) <= start + side * A(bins) + A(1);
    }

    // The pixel's weight in the mean of a bin.
    __device__ __forceinline__ A weight(int bin, int pixel) const {
        A sum = 0;
        for (int number = 0; number < count; ++number) {
            int low, high;
            A near, far;
            if (!at(bin, number, low, high, near, far)) continue;
            if (low == pixel) sum += near;
            if (high == pixel) sum += far;
        }
        return sum * share;
    }
};

// Whole pixels along an axis of one region.
template <typename A> struct Edges {
    A start, side;
    int size;

    __device__ __forceinline__ static A whole(A side, A scale) {  // halves go away from 0
        return trunc(product(side, scale) + copysign(A(0.5), side));
    }

    __device__ __forceinline__ Edges(A low, A high, int size, int bins, A scale, const Regions&) : size(size) {
        start = whole(low, scale);
        side = max(whole(high, scale) - start + A(1), A(1)) / A(bins);
    }

    __device__ __forceinline__ int first(int bin) const { return inside(floor(product(A(bin), side)) + start); }
    __device__ __forceinline__ int behind(int bin) const { return inside(ceil(product(A(bin + 1), side)) + start); }
    __device__ __forceinline__ int inside(A place) const { return int(min(max(place, A(0)), A(size))); }

    __device__ __forceinline__ bool reaches(int pixel, int bins) const {
        return pixel >= first(0) && pixel < behind(bins - 1);
    }
    __device__ __forceinline__ A weight(int bin, int pixel) const {
        return A(pixel >= first(bin) && pixel < behind(bin));
    }
};

// A thread's output: region, channel, bin; the plane of the feature map that it looks at.
template <typename T> struct Output {
    using A = acc_t<T>;
    int64 index, channel;
    int row, column;
    const A* roi;
    const T* plane;
    bool inside, known;  // whether there is such an output, and such an image

    __device__ __forceinline__ Output(const T* x, const A* rois, const Regions& r) {
        int64 i = index = thread_index();
        column = int(i % r.columns), i /= r.columns;
        row = int(i % r.rows), i /= r.rows;
        channel = i % r.channels, i /= r.channels;
        inside = i < r.count;
        if (!inside) return;
        roi = rois + i * 5;
        known = roi[0] >= A(0) && roi[0] < A(r.images);
        plane = known ? x + (int64(roi[0]) * r.channels + channel) * r.height * r.width : x;
    }
};

template <typename T>
__global__ void __launch_bounds__(kThreads) roi_align_forward(
        T* __restrict__ out, const T* __restrict__ x, const acc_t<T>* __restrict__ rois, acc_t<T> scale, Regions r) {
    using A = acc_t<T>;
    const Output<T> o(x, rois, r);
    if (!o.inside) return;
    if (!o.known) {
        out[o.index] = store<T>(infinity<A>() - infinity<A>());
        return;
    }
    const Samples<A> down(o.roi[2], o.roi[4], r.height, r.rows, scale, r);
    const Samples<A> across(o.roi[1], o.roi[3], r.width, r.columns, scale, r);
    A sum = 0;
    for (int a = 0; a < down.count; ++a) {
        int above, below;
        A of_above, of_below;
        if (!down.at(o.row, a, above, below, of_above, of_below)) continue;
        for (int b = 0; b < across.count; ++b) {
            int left, right;
            A of_left, of_right;
            if (!across.at(o.column, b, left, right, of_left, of_right)) continue;
            const T* upper = o.plane + int64(above) * r.width;
            const T* lower = o.plane + int64(below) * r.width;
            sum += of_above * (of_left * load(upper[left]) + of_right * load(upper[right])) +
                   of_below * (of_left * load(lower[left]) + of_right * load(lower[right]));
        }
    }
    out[o.index] = store<T>(sum * (down.share * across.share));
}

// positions: the place of each maximum in its plane; -1 for a bin without a pixel.
template <typename T>
__global__ void __launch_bounds__(kThreads) roi_pool_forward(
        T* __restrict__ out, int* __restrict__ positions, const T* __restrict__ x, const acc_t<T>* __restrict__ rois,
        acc_t<T> scale, Regions r) {
    using A = acc_t<T>;
    const Output<T> o(x, rois, r);
    if (!o.inside) return;
    A best = o.known ? A(0) : infinity<A>() - infinity<A>();
    int found = -1;
    if (o.known) {
        const Edges<A> down(o.roi[2], o.roi[4], r.height, r.rows, scale, r);
        const Edges<A> across(o.roi[1], o.roi[3], r.width, r.columns, scale, r);
        for (int a = down.first(o.row); a < down.behind(o.row); ++a)
            for (int b = across.first(o.column); b < across.behind(o.column); ++b) {
                const A value = load(o.plane[int64(a) * r.width + b]);
                const bool better = value > best || (value != value && best == best);
                if (found >= 0 && !better) continue;
                best = value;
                found = a * r.width + b;
            }
    }
    out[o.index] = store<T>(best);
    positions[o.index] = found;
}

// Axis: Samples, or Edges with the `positions` of the maxima.
template <template <typename> class Axis, typename T>
__global__ void __launch_bounds__(kThreads) roi_backward(
        T* __restrict__ gx, const T* __restrict__ g, const int* __restrict__ positions,
        const acc_t<T>* __restrict__ rois, acc_t<T> scale, Regions r) {
    using A = acc_t<T>;
    __shared__ bool reached[kThreads];
    __shared__ A weights[2 * kBins];
    const int64 plane = int64(r.height) * r.width, image = blockIdx.x / plane;
    const int pixel = int(blockIdx.x % plane), y = pixel / r.width, x = pixel % r.width;
    const int64 channel = int64(blockIdx.y) * kThreads + threadIdx.x;
    A sum = 0;
    for (int64 first = 0; first < r.count; first += kThreads) {
        const int here = int(min(int64(kThreads), r.count - first));
        if (int(threadIdx.x) < here) {
            const A* roi = rois + (first + threadIdx.x) * 5;
            reached[threadIdx.x] = roi[0] == A(image) &&
                                   Axis<A>(roi[2], roi[4], r.height, r.rows, scale, r).reaches(y, r.rows) &&
                                   Axis<A>(roi[1], roi[3], r.width, r.columns, scale, r).reaches(x, r.columns);
        }
        __syncthreads();
        for (int j = 0; j < here; ++j) {
            if (!reached[j]) continue;
            const int64 region = first + j;
            const A* roi = rois + region * 5;
            for (int bin = threadIdx.x; bin < r.rows + r.columns; bin += kThreads) {
                const bool is_row = bin < r.rows;
                const A low = is_row ? roi[2] : roi[1], high = is_row ? roi[4] : roi[3];
                const Axis<A> axis(low, high, is_row ? r.height : r.width, is_row ? r.rows : r.columns, scale, r);
                weights[bin] = axis.weight(is_row ? bin : bin - r.rows, is_row ? y : x);
            }
            __syncthreads();
            if (channel < r.channels) {
                const int64 start = (region * r.channels + channel) * r.rows * r.columns;
                for (int row = 0; row < r.rows; ++row) {
                    if (weights[row] == A(0)) continue;
                    for (int column = 0; column < r.columns; ++column) {
                        const A weight = weights[row] * weights[r.rows + column];
                        const int64 at = start + row * r.columns + column;
                        if (weight != A(0) && (!positions || positions[at] == pixel)) sum += weight * load(g[at]);
                    }
                }
            }
            __syncthreads();
        }
        __syncthreads();
    }
    if (channel < r.channels) gx[(image * r.channels + channel) * plane + pixel] = store<T>(sum);
}
