#define _GNU_SOURCE /* unshare, the ioctls of interfaces and routes */
#include "network/realm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Addresses of the loopback from which the sinks can be spoken to. */
#define OWN4 "10.255.255.2"
#define OWN6 "2001:db8::2"

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

static bool be_root_inside(uid_t uid, gid_t gid)
{
    char map[64];
    (void)snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
    bool ok = write_file("/proc/self/uid_map", map) &&
              write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
    return ok && write_file("/proc/self/gid_map", map);
}

static bool leave(void)
{
    const int apart = CLONE_NEWNET | CLONE_NEWNS;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    return (unshare(apart) == 0 || (unshare(apart | CLONE_NEWUSER) == 0 &&
                                    be_root_inside(uid, gid))) &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* ---- the loopback ---- */

static struct sockaddr address4(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr a;
    (void)inet_pton(AF_INET, text, &in.sin_addr);
    memcpy(&a, &in, sizeof a);
    return a;
}

static bool set_up_ipv4(int fd)
{
    char lo[] = "lo";
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    struct ifreq own = {.ifr_name = "lo:1", .ifr_addr = address4(OWN4)};
    struct rtentry sink = {.rt_dst = address4(REALM_SINK4),
                           .rt_genmask = address4("255.255.255.255"),
                           .rt_flags = RTF_UP | RTF_HOST,
                           .rt_dev = lo};
    return ioctl(fd, SIOCSIFFLAGS, &up) == 0 &&
           ioctl(fd, SIOCSIFADDR, &own) == 0 &&
           ioctl(fd, SIOCADDRT, &sink) == 0;
}

/* What the loopback hands back to itself for an address that is not its own is
 * dropped without a word. */
static bool set_up_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int lo = (int)if_nametoindex("lo");
    struct in6_ifreq own = {.ifr6_prefixlen = 128, .ifr6_ifindex = lo};
    struct in6_rtmsg sink = {.rtmsg_dst_len = 128,
                             .rtmsg_metric = 1,
                             .rtmsg_flags = RTF_UP | RTF_HOST,
                             .rtmsg_ifindex = lo};
    (void)inet_pton(AF_INET6, OWN6, &own.ifr6_addr);
    (void)inet_pton(AF_INET6, REALM_SINK6, &sink.rtmsg_dst);
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFADDR, &own) == 0 &&
              ioctl(fd, SIOCADDRT, &sink) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

/* A window that nobody empties shuts after a few KiB instead of after MiB. */
static bool shrink_buffers(void)
{
    return write_file("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 32768") &&
           write_file("/proc/sys/net/ipv4/tcp_rmem", "4096 16384 16384");
}

/* ---- names ---- */

static bool lay_over(const char *path, const char *text)
{
    char own[] = "/tmp/spool-realm-XXXXXX";
    int fd = mkstemp(own);
    if (fd < 0) {
        return false;
    }
    bool ok = fchmod(fd, 0644) == 0 && write_file(own, text) &&
              mount(own, path, NULL, MS_BIND, NULL) == 0;
    (void)close(fd);
    (void)unlink(own); /* the mount keeps it */
    return ok;
}

/* One question, and a second of patience, so that no lookup outlives the test
 * that was sent on without an answer. */
static bool set_up_names(void)
{
    return lay_over("/etc/resolv.conf", "nameserver 127.0.0.1\n"
                                        "options timeout:1 attempts:1\n") &&
           lay_over("/etc/nsswitch.conf", "hosts: dns\n");
}

void realm_enter(struct realm *r)
{
    *r = (struct realm){.entered = leave()};
    if (!r->entered) {
        (void)snprintf(r->why, sizeof r->why,
                       "a network namespace of its own is refused (%s); run as "
                       "root",
                       strerror(errno));
        return;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || !set_up_ipv4(fd) || !shrink_buffers() || !set_up_names()) {
        perror("a network of the test's own");
        exit(2); /* half of a network is none */
    }
    (void)close(fd);
    r->has_ipv6 = set_up_ipv6();
    if (!r->has_ipv6) {
        (void)snprintf(r->why, sizeof r->why, "there is no IPv6 here (%s)",
                       strerror(errno));
    }
}
