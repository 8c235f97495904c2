/* libnccl.so.2 for tests: a communicator of several ranks of which this process is one, and the others hold the same
   values as it does. So a sum is a multiple, a gathering repeats, and what is received is what was sent. Every call is
   written to a log, with its count, type, operation and stream. Device memory is the host's. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char internal[128]; } ncclUniqueId;
typedef struct Comm { int size, rank; } *ncclComm_t;
typedef struct { const void *from; void *to; size_t bytes; int peer; ncclComm_t comm; } Transfer;

static char journal[1 << 20];
static size_t used;
static Transfer sends[256], receives[256];
static int sent, received, depth, failing;

/* Append a line to the log. */
void fake_note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  used += vsnprintf(journal + used, sizeof journal - used - 2, format, arguments);
  va_end(arguments);
  journal[used++] = '\n';
  journal[used] = 0;
}

const char *fake_log(void) { return journal; }
void fake_clear(void) { used = 0; journal[0] = 0; }
void fake_fail(int code) { failing = code; }

static size_t width(int type) {
  static const size_t widths[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2};
  return type < 0 || type > 9 ? 0 : widths[type];
}

static float from_bfloat16(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, 4);
  return value;
}

static uint16_t to_bfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* Write `times` times the values: the sum of ranks that hold the same. Other operations leave them as they are. */
static int reduce(const void *from, void *to, size_t count, int type, int op, int times) {
  if (op) {
    memmove(to, from, count * width(type));
    return op > 3 ? 4 : 0;
  }
  for (size_t i = 0; i < count; i++) {
    switch (type) {
    case 0: case 1: ((uint8_t *)to)[i] = ((const uint8_t *)from)[i] * times; break;
    case 2: case 3: ((int32_t *)to)[i] = ((const int32_t *)from)[i] * times; break;
    case 4: case 5: ((int64_t *)to)[i] = ((const int64_t *)from)[i] * times; break;
    case 6: ((_Float16 *)to)[i] = (_Float16)((float)((const _Float16 *)from)[i] * times); break;
    case 7: ((float *)to)[i] = ((const float *)from)[i] * times; break;
    case 8: ((double *)to)[i] = ((const double *)from)[i] * times; break;
    case 9: ((uint16_t *)to)[i] = to_bfloat16(from_bfloat16(((const uint16_t *)from)[i]) * times); break;
    default: return 4;
    }
  }
  return 0;
}

int ncclGetVersion(int *version) { *version = 22703; return 0; }
int ncclGetUniqueId(ncclUniqueId *id) { memset(id, 7, sizeof *id); fake_note("GetUniqueId"); return 0; }
const char *ncclGetErrorString(int code) { return code ? "a failure that the test asked for" : "no error"; }

int ncclCommInitRankConfig(ncclComm_t *comm, int size, ncclUniqueId id, int rank, void *config) {
  *comm = malloc(sizeof **comm);
  (*comm)->size = size;
  (*comm)->rank = rank;
  fake_note("CommInitRank size=%d rank=%d id=%d", size, rank, id.internal[127]);
  return rank < 0 || rank >= size ? 4 : 0;
}

int ncclCommDestroy(ncclComm_t comm) { fake_note("CommDestroy"); free(comm); return 0; }
int ncclCommAbort(ncclComm_t comm) { fake_note("CommAbort"); free(comm); return 0; }
int ncclCommGetAsyncError(ncclComm_t comm, int *error) { *error = failing; return 0; }
int ncclCommCount(ncclComm_t comm, int *count) { *count = comm->size; return 0; }
int ncclCommUserRank(ncclComm_t comm, int *rank) { *rank = comm->rank; return 0; }
int ncclCommCuDevice(ncclComm_t comm, int *device) { *device = 0; return 0; }
int ncclCommInitAll(ncclComm_t *comms, int count, const int *devices) { return 5; }
int ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t *made, void *config) { return 5; }

int ncclAllReduce(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm, void *stream) {
  fake_note("AllReduce count=%zu type=%d op=%d stream=%p", count, type, op, stream);
  return reduce(from, to, count, type, op, comm->size);
}

int ncclBroadcast(const void *from, void *to, size_t count, int type, int root, ncclComm_t comm, void *stream) {
  fake_note("Broadcast count=%zu type=%d root=%d stream=%p", count, type, root, stream);
  memmove(to, from, count * width(type));
  return root < comm->size ? 0 : 4;
}

int ncclBcast(void *values, size_t count, int type, int root, ncclComm_t comm, void *stream) { return 5; }
int ncclReduce(const void *from, void *to, size_t count, int type, int op, int root, ncclComm_t c, void *s) { return 5; }

int ncclReduceScatter(const void *from, void *to, size_t count, int type, int op, ncclComm_t comm, void *stream) {
  fake_note("ReduceScatter count=%zu type=%d op=%d stream=%p", count, type, op, stream);
  return reduce((const char *)from + comm->rank * count * width(type), to, count, type, op, comm->size);
}

int ncclAllGather(const void *from, void *to, size_t count, int type, ncclComm_t comm, void *stream) {
  fake_note("AllGather count=%zu type=%d stream=%p", count, type, stream);
  for (int rank = 0; rank < comm->size; rank++)
    memmove((char *)to + rank * count * width(type), from, count * width(type));
  return 0;
}

int ncclGroupStart(void) { fake_note("GroupStart"); depth++; return 0; }

int ncclSend(const void *from, size_t count, int type, int peer, ncclComm_t comm, void *stream) {
  fake_note("Send count=%zu type=%d peer=%d stream=%p", count, type, peer, stream);
  sends[sent++] = (Transfer){from, NULL, count * width(type), peer, comm};
  return depth ? 0 : 5;
}

int ncclRecv(void *to, size_t count, int type, int peer, ncclComm_t comm, void *stream) {
  fake_note("Recv count=%zu type=%d peer=%d stream=%p", count, type, peer, stream);
  receives[received++] = (Transfer){NULL, to, count * width(type), peer, comm};
  return depth ? 0 : 5;
}

/* Every other rank sends what this one sends: to this rank what this one would send to itself. */
int ncclGroupEnd(void) {
  fake_note("GroupEnd");
  for (int i = 0; i < received; i++) {
    const Transfer *match = sent == 1 ? sends : NULL;
    for (int j = 0; j < sent; j++)
      if (sends[j].peer == receives[i].comm->rank) match = &sends[j];
    if (match && match->bytes != receives[i].bytes) return 4;
    if (match) memmove(receives[i].to, match->from, match->bytes);
  }
  sent = received = 0;
  depth--;
  return 0;
}
