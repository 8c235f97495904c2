// Rows of a table: gather them by index, and its adjoint, the sums of rows that share an id.
//
//   gather_rows   out[i] = table[index[i]]
//   segment_sum   out[s] = sum of x[i] over all i with ids[i] = s, in the order of i
//
// Sums take no atomics, so that a rerun gives the same bits. For few segments, segment_sum_scan lets each of them look
// for its rows among all ids. For many, the ids come sorted (stably), with the order that sorted
// them; equal ones form a run. Runs are cut at multiples of kRun positions, so that no block has to sum a very long run
// alone: segment_sum_parts sums each piece, segment_sum_joins adds the pieces of cut runs. With kRun = 4,
// ids 0 0 1 1 | 1 1 1 1 | 1 2 have the pieces 0 0, 1 1, 1 1 1 1, 1 and 2; the three of id 1 are joined.
//
// Bytes moved: gather reads and writes the rows once; segment_sum reads x once and writes each sum once.

#include "rows.cuh"

// ---- gather

// Copies one row of words; if the table has no such row, all bits become 1, which is NaN in every float type.
template <int V, typename Word>
__device__ void copy_row(Word* __restrict__ out, const Word* __restrict__ row, int64 width, bool exists) {
    for (int64 i = static_cast<int64>(threadIdx.x) * V; i < width; i += static_cast<int64>(blockDim.x) * V) {
        Vec<Word, V> chunk;
        if (exists) {
            chunk = *reinterpret_cast<const Vec<Word, V>*>(row + i);
        } else {
#pragma unroll
            for (int j = 0; j < V; ++j) chunk.at[j] = static_cast<Word>(~Word(0));
        }
        *reinterpret_cast<Vec<Word, V>*>(out + i) = chunk;
    }
}

// Returns whether vectors tile the rows of both arrays.
template <typename A, typename B> __device__ __forceinline__ bool tiled(const A* a, const B* b, int64 width) {
    return past_boundary(a) == 0 && past_boundary(b) == 0 && width % kVector<A> == 0;
}

// Word: an unsigned integer of an element's size.
template <typename Word>
__global__ void gather_rows(Word* __restrict__ out, const Word* __restrict__ table, const int64* __restrict__ index,
                            int64 rows, int64 table_rows, int64 width) {
    const int64 i = row_index();
    if (i >= rows) return;
    const int64 source = index[i];
    const bool exists = source >= 0 && source < table_rows;
    const Word* row = exists ? table + source * width : nullptr;
    if (tiled(out, table, width)) copy_row<kVector<Word>>(out + i * width, row, width, exists);
    else copy_row<1>(out + i * width, row, width, exists);
}

// ---- segment_sum

// Sorts up to some ten thousand ids stably by counting, for each, those that belong before it: n^2 comparisons in one
// launch without scratch memory. A block has the counts of kSort positions.
constexpr int kSort = 256;

__global__ void __launch_bounds__(kSort)
    sort_ids(int64* __restrict__ order, int64* __restrict__ sorted, const int64* __restrict__ ids, int64 n) {
    __shared__ int64 others[kSort];
    const int64 p = static_cast<int64>(blockIdx.x) * kSort + threadIdx.x;
    const int64 own = p < n ? ids[p] : 0;
    int64 place = 0;
    for (int64 start = 0; start < n; start += kSort) {
        const int count = static_cast<int>(n - start < kSort ? n - start : kSort);
        if (threadIdx.x < count) others[threadIdx.x] = ids[start + threadIdx.x];
        __syncthreads();
        int before = 0;
        for (int k = 0; k < count; ++k) before += others[k] < own || (others[k] == own && start + k < p);
        place += before;
        __syncthreads();
    }
    if (p < n) {
        order[place] = p;
        sorted[place] = own;
    }
}

constexpr int kRun = 128;

// The runs of equal numbers in the ascending `ids` (n,); ids outside of [0, segments), and `skipped`, have no sum.
struct Runs {
    const int64* ids;
    int64 n, segments, skipped;

    __device__ __forceinline__ bool counts(int64 p) const {
        return ids[p] >= 0 && ids[p] < segments && ids[p] != skipped;
    }
    __device__ __forceinline__ bool begins(int64 p) const { return p == 0 || ids[p] != ids[p - 1]; }
    __device__ __forceinline__ bool ends(int64 p) const { return p == n || ids[p] != ids[p - 1]; }
};

// The row of `parts` for the piece that begins at p, if its run was cut. Each stretch of kRun positions has at most two
// such pieces: one that begins where the stretch begins, and one behind it, whose run goes on in the next stretch.
__device__ __forceinline__ int64 place_of(int64 p) { return p / kRun * 2 + (p % kRun != 0); }

// Adds rows order[begin..end) of x.
template <int V, typename T>
__device__ void sum_rows(T* __restrict__ out, acc_t<T>* __restrict__ part, const T* __restrict__ x,
                         const int64* __restrict__ order, int64 begin, int64 end, int64 width) {
    using A = acc_t<T>;
    for (int64 c = static_cast<int64>(threadIdx.x) * V; c < width; c += static_cast<int64>(blockDim.x) * V) {
        A sum[V] = {}, at[V];
#pragma unroll 4
        for (int64 k = begin; k < end; ++k) {
            load_chunk<V>(at, x + order[k] * width, c, width, A(0));
#pragma unroll
            for (int j = 0; j < V; ++j) sum[j] += at[j];
        }
        if (part == nullptr) {
            store_chunk<V>(out, c, width, sum);
        } else {
#pragma unroll
            for (int j = 0; j < V; ++j) part[c + j] = sum[j];
        }
    }
}

// A block (kWarp, kScans) has one segment, blockIdx.x, and kWarp * V columns. Each of its warps goes through a share of
// the ids, of which its lanes look at kWarp at a time, and each lane adds up its own columns of the rows that some lane
// has found. The first warp adds up the warps' sums, in order. A segment without rows becomes 0.
constexpr int kScans = 8;

template <int V, typename T>
__device__ __forceinline__ void scan_rows(T* __restrict__ out, const T* __restrict__ x, const int64* __restrict__ ids,
                                          int64 segment, int64 n, int64 width, acc_t<T> (*sums)[kWarp * kVector<T>]) {
    using A = acc_t<T>;
    const int lane = threadIdx.x;
    const int64 c = (static_cast<int64>(blockIdx.y) * kWarp + lane) * V;
    const int64 each = (n + kWarp * kScans - 1) / (kWarp * kScans) * kWarp, begin = threadIdx.y * each;
    const int64 end = begin + each < n ? begin + each : n;
    A sum[V] = {}, at[V];
    for (int64 first = begin; first < end; first += kWarp) {
        unsigned found = __ballot_sync(kAllLanes, first + lane < end && ids[first + lane] == segment);
        for (; found; found &= found - 1) {
            if (c >= width) continue;
            load_chunk<V>(at, x + (first + __ffs(found) - 1) * width, c, width, A(0));
#pragma unroll
            for (int j = 0; j < V; ++j) sum[j] += at[j];
        }
    }
#pragma unroll
    for (int j = 0; j < V; ++j) sums[threadIdx.y][lane * V + j] = sum[j];
    __syncthreads();
    if (threadIdx.y || c >= width) return;
    for (int scan = 1; scan < kScans; ++scan)
#pragma unroll
        for (int j = 0; j < V; ++j) sum[j] += sums[scan][lane * V + j];
    store_chunk<V>(out + segment * width, c, width, sum);
}

template <typename T>
__global__ void __launch_bounds__(kWarp* kScans)
    segment_sum_scan(T* __restrict__ out, const T* __restrict__ x, const int64* __restrict__ ids, int64 n,
                     int64 skipped, int64 width) {
    __shared__ acc_t<T> sums[kScans][kWarp * kVector<T>];
    const int64 segment = blockIdx.x, wanted = segment == skipped ? 0 : n;
    if (tiled(x, out, width)) scan_rows<kVector<T>>(out, x, ids, segment, wanted, width, sums);
    else scan_rows<1>(out, x, ids, segment, wanted, width, sums);
}

// Each position has a row of threads: those of a piece's first position sum it, the others return at once.
template <typename T>
__global__ void segment_sum_parts(T* __restrict__ out, acc_t<T>* __restrict__ parts, const T* __restrict__ x,
                                  const int64* __restrict__ order, const int64* __restrict__ ids, int64 n,
                                  int64 segments, int64 skipped, int64 width) {
    const Runs runs = {ids, n, segments, skipped};
    const int64 p = row_index();
    if (p >= n || !(p % kRun == 0 || runs.begins(p)) || !runs.counts(p)) return;
    const int64 cut = p / kRun * kRun + kRun;
    int64 end = p + 1;
    while (end < n && end < cut && !runs.begins(end)) ++end;
    acc_t<T>* part = runs.begins(p) && runs.ends(end) ? nullptr : parts + place_of(p) * width;
    T* sum = out + ids[p] * width;
    if (tiled(x, out, width)) sum_rows<kVector<T>>(sum, part, x, order, p, end, width);
    else sum_rows<1>(sum, part, x, order, p, end, width);
}

// Each multiple of kRun has a row of threads: if it is the first one that cuts a run, they add that run's pieces.
template <typename T>
__global__ void segment_sum_joins(T* __restrict__ out, const acc_t<T>* __restrict__ parts,
                                  const int64* __restrict__ ids, int64 n, int64 segments, int64 skipped, int64 width) {
    const Runs runs = {ids, n, segments, skipped};
    const int64 p = (row_index() + 1) * kRun, before = p - kRun;
    if (p >= n || runs.begins(p) || !runs.counts(p)) return;
    const bool whole_before = ids[before] == ids[p];
    if (whole_before && !runs.begins(before)) return;
    const int64 first = whole_before ? place_of(before) : place_of(p - 1);
    for (int64 c = threadIdx.x; c < width; c += blockDim.x) {
        acc_t<T> sum = parts[first * width + c];
        for (int64 k = p; k < n && ids[k] == ids[p]; k += kRun) sum += parts[place_of(k) * width + c];
        out[ids[p] * width + c] = store<T>(sum);
    }
}
