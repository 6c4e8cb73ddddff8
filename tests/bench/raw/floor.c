/* The floor: what the data path costs in C.
 *
 * One thread, epoll, a receive buffer for each connection, CRC-32C by the processor's instruction, batches stamped in
 * place, one pwrite each, fetches by sendfile, the newest four segments kept. It answers exactly the requests that load.c sends, Produce version 7
 * and Fetch version 11 with one topic and one partition, keeps nothing across a restart and trusts its peers. A broker
 * that does the same work in another language cannot cost less; the bench tells how much more it does.
 *
 *     floor PORT DIRECTORY
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <nmmintrin.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PARTITIONS = 4, SEGMENT_BYTES = 64 << 20, KEPT_SEGMENTS = 4, INDEX_STEP = 4096, BUFFER_BYTES = 128 << 10, ANSWER_BYTES = 512 };
enum { BATCH_HEADER_BYTES = 61, CORRUPT_MESSAGE = 2, UNKNOWN_TOPIC_OR_PARTITION = 3 };

struct mark { uint64_t offset; uint32_t position; };
struct segment { int fd; char *path; uint64_t base; uint32_t size; struct mark *marks; int count, room; };
struct partition { struct segment segments[KEPT_SEGMENTS]; int count; uint64_t end; };
struct peer {
    int fd, wants_to_write;
    uint8_t *in; size_t in_room, begin, end;
    uint8_t *out; size_t out_room, out_bytes;
    int file; off_t file_position; size_t file_bytes;
};

static struct partition partitions[PARTITIONS];
static const char *directory;
static int poller;

static uint16_t get16(const uint8_t *p) { return p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return be32toh(v); }
static uint64_t get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return be64toh(v); }
static uint8_t *put16(uint8_t *p, uint16_t v) { p[0] = v >> 8; p[1] = v; return p + 2; }
static uint8_t *put32(uint8_t *p, uint32_t v) { v = htobe32(v); memcpy(p, &v, 4); return p + 4; }
static uint8_t *put64(uint8_t *p, uint64_t v) { v = htobe64(v); memcpy(p, &v, 8); return p + 8; }
static void fail(const char *what) { perror(what); exit(1); }

static uint32_t checksum(const uint8_t *p, size_t n) {
    uint64_t c = 0xffffffff;
    for (; n >= 8; n -= 8, p += 8) { uint64_t v; memcpy(&v, p, 8); c = _mm_crc32_u64(c, v); }
    while (n--) c = _mm_crc32_u8(c, *p++);
    return ~(uint32_t)c;
}

static void drop_oldest(struct partition *partition) {
    struct segment *oldest = &partition->segments[0];
    unlink(oldest->path);
    close(oldest->fd);
    free(oldest->path);
    free(oldest->marks);
    memmove(oldest, oldest + 1, --partition->count * sizeof *oldest);
}

static struct segment *roll(int number) {
    struct partition *partition = &partitions[number];
    if (partition->count == KEPT_SEGMENTS) drop_oldest(partition);
    struct segment *fresh = &partition->segments[partition->count++];
    memset(fresh, 0, sizeof *fresh);
    if (asprintf(&fresh->path, "%s/%d-%020lu.log", directory, number, partition->end) < 0) fail("asprintf");
    fresh->base = partition->end;
    fresh->fd = open(fresh->path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fresh->fd < 0) fail(fresh->path);
    return fresh;
}

static void note(struct segment *segment, uint64_t offset) {
    if (segment->count && segment->size - segment->marks[segment->count - 1].position < INDEX_STEP) return;
    if (segment->count == segment->room) {
        segment->room = segment->room ? 2 * segment->room : 256;
        segment->marks = realloc(segment->marks, segment->room * sizeof(struct mark));
    }
    segment->marks[segment->count++] = (struct mark){offset, segment->size};
}

static int append(uint32_t number, uint8_t *batch, size_t bytes, uint64_t *base) {
    if (number >= PARTITIONS) return UNKNOWN_TOPIC_OR_PARTITION;
    if (bytes < BATCH_HEADER_BYTES || get32(batch + 8) + 12 != bytes || batch[16] != 2) return CORRUPT_MESSAGE;
    if (checksum(batch + 21, bytes - 21) != get32(batch + 17)) return CORRUPT_MESSAGE;
    struct partition *partition = &partitions[number];
    struct segment *segment = &partition->segments[partition->count - 1];
    if (segment->size + bytes > SEGMENT_BYTES) segment = roll(number);
    *base = partition->end;
    put64(batch, partition->end);
    put32(batch + 12, 0);
    note(segment, partition->end);
    if (pwrite(segment->fd, batch, bytes, segment->size) != (ssize_t)bytes) fail("pwrite");
    segment->size += bytes;
    partition->end += get32(batch + 23) + 1;
    return 0;
}

static uint8_t *answer_room(struct peer *peer) {
    if (peer->out_bytes + ANSWER_BYTES > peer->out_room) {
        peer->out_room = 2 * (peer->out_bytes + ANSWER_BYTES);
        peer->out = realloc(peer->out, peer->out_room);
    }
    return peer->out + peer->out_bytes;
}

static uint8_t *skip_string(uint8_t *p) { int n = (int16_t)get16(p); return p + 2 + (n > 0 ? n : 0); }

static void produce(struct peer *peer, uint8_t *frame) {
    uint8_t *p = skip_string(skip_string(frame + 8)) + 2 + 4 + 4; /* client id, transactional id, acks, timeout, count */
    uint8_t *name = p;
    p = skip_string(p) + 4;
    uint32_t number = get32(p), bytes = get32(p + 4);
    uint64_t base = -1;
    int error = append(number, p + 8, bytes, &base);
    uint8_t *start = answer_room(peer), *o = start + 4;
    size_t name_bytes = 2 + get16(name);
    o = put32(o, get32(frame + 4)); o = put32(o, 1);
    memcpy(o, name, name_bytes); o += name_bytes;
    o = put32(o, 1); o = put32(o, number); o = put16(o, error);
    o = put64(o, base); o = put64(o, -1); o = put64(o, 0); o = put32(o, 0);
    put32(start, o - start - 4);
    peer->out_bytes += o - start;
}

/* The last mark at or before a key, by offset or by position. */
static int last_mark(struct segment *segment, uint64_t key, int by_position) {
    int low = 0, high = segment->count;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        uint64_t at = by_position ? segment->marks[middle].position : segment->marks[middle].offset;
        if (at <= key) low = middle; else high = middle;
    }
    return low;
}

static void locate(struct partition *partition, uint64_t offset, uint32_t max_bytes, struct peer *peer) {
    int i = partition->count - 1;
    while (i > 0 && partition->segments[i].base > offset) i--;
    struct segment *segment = &partition->segments[i];
    int first = last_mark(segment, offset, 0);
    uint32_t begin = segment->marks[first].position, end = segment->size;
    if ((uint64_t)begin + max_bytes < end) {
        int last = last_mark(segment, begin + max_bytes, 1);
        end = segment->marks[last > first ? last : first + 1].position;
    }
    peer->file = segment->fd; peer->file_position = begin; peer->file_bytes = end - begin;
}

static void fetch(struct peer *peer, uint8_t *frame) {
    uint8_t *p = skip_string(frame + 8) + 4 + 4 + 4 + 4 + 1 + 8 + 4; /* up to and including the count of topics */
    uint8_t *name = p;
    p = skip_string(p) + 4;
    uint32_t number = get32(p);
    uint64_t offset = get64(p + 8);
    struct partition *partition = &partitions[number % PARTITIONS];
    if (offset < partition->end) locate(partition, offset, get32(p + 24), peer);
    uint8_t *start = answer_room(peer), *o = start + 4;
    size_t name_bytes = 2 + get16(name);
    o = put32(o, get32(frame + 4)); o = put32(o, 0); o = put16(o, 0); o = put32(o, 0); o = put32(o, 1);
    memcpy(o, name, name_bytes); o += name_bytes;
    o = put32(o, 1); o = put32(o, number); o = put16(o, 0);
    o = put64(o, partition->end); o = put64(o, partition->end); o = put64(o, 0);
    o = put32(o, -1); o = put32(o, -1); o = put32(o, peer->file_bytes);
    put32(start, o - start - 4 + peer->file_bytes);
    peer->out_bytes += o - start;
}

/* True when everything has left. */
static int send_out(struct peer *peer) {
    size_t done = 0;
    while (done < peer->out_bytes) {
        ssize_t n = send(peer->fd, peer->out + done, peer->out_bytes - done, peer->file_bytes ? MSG_MORE : 0);
        if (n < 0) break;
        done += n;
    }
    memmove(peer->out, peer->out + done, peer->out_bytes -= done);
    while (!peer->out_bytes && peer->file_bytes) {
        ssize_t n = sendfile(peer->fd, peer->file, &peer->file_position, peer->file_bytes);
        if (n <= 0) break;
        peer->file_bytes -= n;
    }
    return !peer->out_bytes && !peer->file_bytes;
}

static void watch(struct peer *peer, int writing) {
    if (peer->wants_to_write == writing) return;
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = peer};
    epoll_ctl(poller, EPOLL_CTL_MOD, peer->fd, &event);
    peer->wants_to_write = writing;
}

static void make_room(struct peer *peer, size_t frame_bytes) {
    size_t have = peer->end - peer->begin;
    if (frame_bytes > peer->in_room) {
        uint8_t *bigger = malloc(frame_bytes);
        memcpy(bigger, peer->in + peer->begin, have);
        free(peer->in);
        peer->in = bigger; peer->in_room = frame_bytes;
    } else if (peer->begin + frame_bytes > peer->in_room || peer->end == peer->in_room) {
        memmove(peer->in, peer->in + peer->begin, have);
    } else {
        return;
    }
    peer->begin = 0; peer->end = have;
}

static void handle(struct peer *peer) {
    while (!peer->file_bytes && peer->end - peer->begin >= 4) {
        uint8_t *frame = peer->in + peer->begin + 4;
        size_t bytes = 4 + get32(frame - 4);
        if (peer->end - peer->begin < bytes) { make_room(peer, bytes); break; }
        if (get16(frame) == 0) produce(peer, frame); else fetch(peer, frame);
        peer->begin += bytes;
        if (peer->file_bytes && !send_out(peer)) break;
    }
    if (peer->begin == peer->end) peer->begin = peer->end = 0;
    watch(peer, !send_out(peer));
}

static void accept_peer(int listening) {
    int one = 1, fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct peer *peer = calloc(1, sizeof *peer);
    peer->fd = fd; peer->in_room = BUFFER_BYTES; peer->in = malloc(BUFFER_BYTES);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void receive(struct peer *peer) {
    ssize_t n = recv(peer->fd, peer->in + peer->end, peer->in_room - peer->end, 0);
    if (n > 0) { peer->end += n; handle(peer); return; }
    if (n < 0 && errno == EAGAIN) return;
    close(peer->fd); free(peer->in); free(peer->out); free(peer);
}

int main(int count, char **words) {
    if (count != 3) { fprintf(stderr, "usage: floor PORT DIRECTORY\n"); return 2; }
    directory = words[2];
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listening = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listening, (void *)&here, sizeof here) || listen(listening, 512)) fail("listen");
    for (int i = 0; i < PARTITIONS; i++) roll(i);
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, events[64];
    epoll_ctl(poller, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int n = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct peer *peer = events[i].data.ptr;
            if (!peer) { accept_peer(listening); continue; }
            if (events[i].events & EPOLLOUT) handle(peer);
            if (events[i].events & ~EPOLLOUT && !peer->file_bytes) receive(peer);
        }
    }
}
