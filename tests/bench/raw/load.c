/* A load that costs its own side as little as it can, so that the broker is what is measured.
 *
 * Sends the frames of a file (all of one size, in a circle) over some connections, keeps DEPTH requests under way on
 * each, counts the answers and their errors, and prints one line of JSON.
 *
 *     load PORT FRAMES FRAME_BYTES SECONDS CONNECTIONS DEPTH ERROR_AT [own]
 *
 * ERROR_AT is where in an answer, its length included, the 16 bits of the error code lie; -1 to look at none. The body
 * of a long answer is dropped inside the kernel. With `own` each connection sends one frame of the file over and over.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 160, SMALL_BYTES = 64 << 10, CIRCLE_BYTES = 256 << 10, ROUNDS = 16 };

struct link {
    int fd, wants_to_write;
    size_t first, place;                 /* in the circle of frames */
    uint64_t sent_bytes, answered;
    uint8_t head[HEAD_BYTES]; int head_bytes;
    int64_t left;                        /* of the answer under way */
};

static uint8_t *circle, scratch[1 << 20];
static size_t circle_bytes, frame_bytes, span_bytes;
static int depth, error_at, poller, failures;
static uint64_t answers, bytes_in;
static double until;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static void fail(const char *what) { perror(what); exit(1); }

static void watch(struct link *link, int writing) {
    if (link->wants_to_write == writing) return;
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = link};
    epoll_ctl(poller, EPOLL_CTL_MOD, link->fd, &event);
    link->wants_to_write = writing;
}

static void push(struct link *link, double t) {
    while (t < until) {
        int64_t allowed = (link->answered + depth) * frame_bytes - link->sent_bytes;
        if (allowed <= 0) break;
        size_t n = link->first + span_bytes - link->place;
        if (n > (size_t)allowed) n = allowed;
        ssize_t sent = send(link->fd, circle + link->place, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) { watch(link, 1); return; }
        if (sent < 0) fail("send");
        link->sent_bytes += sent;
        link->place += sent;
        if (link->place == link->first + span_bytes) link->place = link->first;
    }
    watch(link, 0);
}

static void finish(struct link *link) {
    if (error_at >= 0 && (link->head[error_at] || link->head[error_at + 1])) failures++;
    link->head_bytes = 0; link->answered++; answers++;
}

static void take(struct link *link, uint8_t *p, uint8_t *end) {
    while (p < end) {
        if (link->head_bytes < 4) {
            link->head[link->head_bytes++] = *p++;
            if (link->head_bytes == 4) { uint32_t n; memcpy(&n, link->head, 4); link->left = ntohl(n); }
            continue;
        }
        int64_t n = end - p < link->left ? end - p : link->left;
        for (int64_t i = 0; i < n && link->head_bytes < HEAD_BYTES; i++) link->head[link->head_bytes++] = p[i];
        p += n; link->left -= n;
        if (!link->left) finish(link);
    }
}

static void pull(struct link *link) {
    for (int i = 0; i < ROUNDS; i++) {
        int drop = link->left > SMALL_BYTES && link->head_bytes == HEAD_BYTES;
        size_t ask = drop ? (size_t)link->left : link->left > SMALL_BYTES ? HEAD_BYTES : sizeof scratch;
        ssize_t n = recv(link->fd, scratch, ask, MSG_DONTWAIT | (drop ? MSG_TRUNC : 0));
        if (n == 0) { fprintf(stderr, "the broker hung up\n"); exit(1); }
        if (n < 0) return;
        bytes_in += n;
        if (drop) { link->left -= n; if (!link->left) finish(link); } else take(link, scratch, scratch + n);
        if ((size_t)n < ask) return;
    }
}

static void open_link(struct link *link, int port, int number) {
    int one = 1;
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    link->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(link->fd, (void *)&there, sizeof there)) fail("connect");
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    size_t frames = circle_bytes / frame_bytes;
    if (span_bytes == circle_bytes) link->place = (size_t)number * 7 % frames * frame_bytes;
    else link->first = link->place = (size_t)number % frames * frame_bytes;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
    epoll_ctl(poller, EPOLL_CTL_ADD, link->fd, &event);
}

static void load_frames(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat found;
    if (fd < 0 || fstat(fd, &found)) fail(path);
    while (circle_bytes < CIRCLE_BYTES || !circle_bytes) circle_bytes += found.st_size;
    circle = malloc(circle_bytes);
    for (size_t at = 0; at < circle_bytes;) {
        ssize_t n = pread(fd, circle + at, found.st_size - at % found.st_size, at % found.st_size);
        if (n <= 0) fail(path);
        at += n;
    }
}

int main(int count, char **words) {
    int own = count == 9 && !strcmp(words[8], "own");
    if (count != 8 && !own) { fprintf(stderr, "usage: see the beginning of load.c\n"); return 2; }
    frame_bytes = atoi(words[3]);
    int connections = atoi(words[5]);
    depth = atoi(words[6]); error_at = atoi(words[7]);
    load_frames(words[2]);
    span_bytes = own ? frame_bytes : circle_bytes;
    poller = epoll_create1(0);
    struct link *links = calloc(connections, sizeof *links);
    for (int i = 0; i < connections; i++) open_link(&links[i], atoi(words[1]), i);
    double begun = now(), t = begun;
    until = begun + atof(words[4]);
    for (int i = 0; i < connections; i++) push(&links[i], t);
    struct epoll_event events[64];
    while (t < until) {
        int n = epoll_wait(poller, events, 64, 100);
        t = now();
        for (int i = 0; i < n; i++) {
            struct link *link = events[i].data.ptr;
            if (events[i].events & EPOLLIN) pull(link);
            push(link, t);
        }
    }
    uint64_t bytes_out = 0;
    for (int i = 0; i < connections; i++) bytes_out += links[i].sent_bytes;
    printf("{\"seconds\": %.3f, \"answers\": %lu, \"bytes_out\": %lu, \"bytes_in\": %lu, \"failures\": %d}\n",
           t - begun, answers, bytes_out, bytes_in, failures);
    return 0;
}
