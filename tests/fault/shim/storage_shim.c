/* Preloaded into programs under test (LD_PRELOAD), for files below MARQUEE_SHIM_ROOT:
 *
 *   MARQUEE_SHIM_LOG=FILE      appends a record of every change of files and names and of every sync
 *                              (tests/fault/power_cut.py reads it). Records of all processes stand in
 *                              the order in which the calls returned.
 *   MARQUEE_SHIM_NOSYNC=GLOB   fsync and fdatasync of paths that match do nothing and say that they
 *                              did (recorded as such).
 *   MARQUEE_SHIM_FAIL=CALL:ERROR:N:GLOB
 *                              the Nth CALL (write, sync, rename or open) on a path that matches fails
 *                              in this process. EIO: that call alone. ENOSPC: the disk is full from
 *                              then on; a write that hits the end still stores its first half.
 *   MARQUEE_SHIM_SYNC_MS=N     fsync and fdatasync take N milliseconds longer: a slower disk.
 *   MARQUEE_SHIM_FIRED=FILE    is made when MARQUEE_SHIM_FAIL has struck.
 *
 * GLOB is fnmatch's, over the whole path. Changes through mmap are not seen; SQLite and HDF5 make none
 * as they are used here. Calls go to the kernel directly. Linux. Thread safe as far as the counting goes (atomic). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { kLongestRecord = 64 << 20 };

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value != NULL && *value != '\0' ? value : NULL;
}

/* ---- paths ------------------------------------------------------------------------------------- */

static int below_root(const char *path) {
  const char *root = variable("MARQUEE_SHIM_ROOT");
  if (root == NULL) return 0;
  const size_t length = strlen(root);
  return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Path of a descriptor; 0 when it has none below the root, or no name any more. */
static int path_of(int fd, char path[PATH_MAX]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = '\0';
  static const char kDeleted[] = " (deleted)";
  const size_t tail = sizeof kDeleted - 1;
  if ((size_t)length > tail && strcmp(path + length - tail, kDeleted) == 0) return 0;
  return below_root(path);
}

/* `name` relative to the folder `at`, as an absolute path; 0 when it lies outside the root. */
static int absolute(int at, const char *name, char path[PATH_MAX]) {
  if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
    return below_root(path);
  }
  char folder[PATH_MAX];
  if (at == AT_FDCWD) {
    if (getcwd(folder, sizeof folder) == NULL) return 0;
  } else {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    const ssize_t length = readlink(link, folder, sizeof folder - 1);
    if (length <= 0) return 0;
    folder[length] = '\0';
  }
  if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) return 0;
  return below_root(path);
}

/* ---- the log ----------------------------------------------------------------------------------- */

/* One record: a line "KIND pid inode offset path-bytes data-bytes", the path, the data. Written by one
 * call to a file opened for appending, so that records do not mix. */
static void record(char kind, unsigned long long inode, long long offset, const char *path,
                   const void *data, size_t size) {
  const char *log = variable("MARQUEE_SHIM_LOG");
  if (log == NULL || size > kLongestRecord) return;
  const int before = errno;
  char head[160];
  const size_t path_size = strlen(path);
  const int head_size = snprintf(head, sizeof head, "%c %d %llu %lld %zu %zu\n", kind, (int)getpid(),
                                 inode, offset, path_size, size);
  struct iovec parts[3] = {{head, (size_t)head_size},
                           {(void *)(size_t)path, path_size},
                           {(void *)(size_t)data, size}};
  const long fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0) {
    if (syscall(SYS_writev, fd, parts, 3) != (long)((size_t)head_size + path_size + size)) abort();
    syscall(SYS_close, fd);
  }
  errno = before;
}

static void record_file(char kind, int fd, long long offset, const void *data, size_t size) {
  if (variable("MARQUEE_SHIM_LOG") == NULL) return;
  char path[PATH_MAX];
  struct stat facts;
  const int before = errno;
  if (path_of(fd, path) && fstat(fd, &facts) == 0) {
    if (S_ISREG(facts.st_mode)) record(kind, facts.st_ino, offset, path, data, size);
    if (S_ISDIR(facts.st_mode) && (kind == 'S' || kind == 'P'))
      record(kind == 'S' ? 'D' : 'Q', facts.st_ino, 0, path, NULL, 0);
  }
  errno = before;
}

/* ---- failures ---------------------------------------------------------------------------------- */

/* 0, or the error that this call must fail with; *at_the_end: ENOSPC strikes for the first time. */
static int failure(const char *call, const char *path, int *at_the_end) {
  const char *chosen = variable("MARQUEE_SHIM_FAIL");
  static atomic_long calls;
  char name[16], error[16], glob[PATH_MAX];
  long wanted = 0;
  *at_the_end = 0;
  if (chosen == NULL ||
      sscanf(chosen, "%15[^:]:%15[^:]:%ld:%4095s", name, error, &wanted, glob) != 4)
    return 0;
  if (strcmp(name, call) != 0 || fnmatch(glob, path, 0) != 0) return 0;
  const long count = atomic_fetch_add(&calls, 1) + 1;
  const int full = strcmp(error, "ENOSPC") == 0;
  if (count < wanted || (count > wanted && !full)) return 0;
  const char *fired = variable("MARQUEE_SHIM_FIRED");
  if (fired != NULL) {
    const long fd = syscall(SYS_openat, AT_FDCWD, fired, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd >= 0) syscall(SYS_close, fd);
  }
  *at_the_end = full && count == wanted;
  return full ? ENOSPC : EIO;
}

/* Bytes that a write of `size` may still store; -1 with errno when it must fail. */
static ssize_t room(int fd, size_t size) {
  if (variable("MARQUEE_SHIM_FAIL") == NULL) return (ssize_t)size;
  char path[PATH_MAX];
  int at_the_end = 0;
  const int error = path_of(fd, path) ? failure("write", path, &at_the_end) : 0;
  if (error == 0) return (ssize_t)size;
  if (at_the_end && size > 1) return (ssize_t)(size / 2);
  errno = error;
  return -1;
}

static int fails(const char *call, const char *path) {
  int at_the_end = 0;
  const int error = failure(call, path, &at_the_end);
  if (error == 0) return 0;
  errno = error;
  return 1;
}

/* ---- writing ----------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *data, size_t size) {
  const ssize_t allowed = room(fd, size);
  if (allowed < 0) return -1;
  const ssize_t written = syscall(SYS_write, fd, data, (size_t)allowed);
  if (written > 0) {
    const int before = errno;
    const off_t end = lseek(fd, 0, SEEK_CUR); /* pipes have none */
    errno = before;
    if (end >= written) record_file('W', fd, end - written, data, (size_t)written);
  }
  return written;
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t offset) {
  const ssize_t allowed = room(fd, size);
  if (allowed < 0) return -1;
  const ssize_t written = syscall(SYS_pwrite64, fd, data, (size_t)allowed, offset);
  if (written > 0) record_file('W', fd, offset, data, (size_t)written);
  return written;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  return write_at(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  return write_at(fd, data, size, offset);
}

/* As single writes; a caller must live with a short count anyway. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return syscall(SYS_writev, fd, parts, count);
  ssize_t all = 0;
  for (int i = 0; i < count; ++i) {
    if (parts[i].iov_len == 0) continue;
    const ssize_t written = write(fd, parts[i].iov_base, parts[i].iov_len);
    if (written < 0) return all > 0 ? all : -1;
    all += written;
    if ((size_t)written < parts[i].iov_len) break;
  }
  return all;
}

static int cut_to(int fd, off_t size) {
  const ssize_t allowed = room(fd, 1);
  if (allowed < 0) return -1;
  const int result = (int)syscall(SYS_ftruncate, fd, size);
  if (result == 0) record_file('T', fd, size, NULL, 0);
  return result;
}
int ftruncate(int fd, off_t size) { return cut_to(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut_to(fd, size); }

/* ---- syncing ----------------------------------------------------------------------------------- */

static int sync_by(long number, int fd) {
  char path[PATH_MAX];
  if (!path_of(fd, path)) return (int)syscall(number, fd);
  if (fails("sync", path)) return -1;
  const char *swallowed = variable("MARQUEE_SHIM_NOSYNC");
  const int pretends = swallowed != NULL && fnmatch(swallowed, path, 0) == 0;
  const char *longer = variable("MARQUEE_SHIM_SYNC_MS");
  if (longer != NULL) {
    const long nanoseconds = (long)(atof(longer) * 1e6);
    const struct timespec nap = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    nanosleep(&nap, NULL);
  }
  const int result = pretends ? 0 : (int)syscall(number, fd);
  if (result == 0) record_file(pretends ? 'P' : 'S', fd, 0, NULL, 0);
  return result;
}
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

/* ---- names ------------------------------------------------------------------------------------- */

static int open_file(int at, const char *name, int flags, mode_t mode) {
  char path[PATH_MAX];
  const int making = (flags & (O_CREAT | O_TRUNC)) != 0 && (flags & O_TMPFILE) != O_TMPFILE;
  if (making && absolute(at, name, path) && fails("open", path)) return -1;
  const int fd = (int)syscall(SYS_openat, at, name, flags, mode);
  if (fd >= 0 && making) record_file('C', fd, (flags & O_TRUNC) != 0, NULL, 0);
  return fd;
}

static mode_t mode_argument(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(arguments, unsigned) : 0;
}

#define OPEN(name, parameters, at, large)             \
  int name parameters {                               \
    va_list arguments;                                \
    va_start(arguments, flags);                       \
    const mode_t mode = mode_argument(flags, arguments); \
    va_end(arguments);                                \
    return open_file(at, path, flags | (large), mode); \
  }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD, 0)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, O_LARGEFILE)
OPEN(openat, (int at, const char *path, int flags, ...), at, 0)
OPEN(openat64, (int at, const char *path, int flags, ...), at, O_LARGEFILE)
int creat(const char *path, mode_t mode) {
  return open_file(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

static int move(int old_at, const char *old_name, int new_at, const char *new_name, unsigned flags) {
  char old_path[PATH_MAX], new_path[PATH_MAX];
  const int known = absolute(old_at, old_name, old_path) & absolute(new_at, new_name, new_path);
  if (known && fails("rename", new_path)) return -1;
  const int result = (int)syscall(SYS_renameat2, old_at, old_name, new_at, new_name, flags);
  if (result == 0 && known) record('R', 0, 0, old_path, new_path, strlen(new_path));
  return result;
}
int rename(const char *from, const char *to) { return move(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) {
  return move(from_at, from, to_at, to, 0);
}
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  return move(from_at, from, to_at, to, flags);
}

static int drop(int at, const char *name, int flags) {
  char path[PATH_MAX];
  const int known = absolute(at, name, path);
  const int result = (int)syscall(SYS_unlinkat, at, name, flags);
  if (result == 0 && known) record('U', 0, 0, path, NULL, 0);
  return result;
}
int unlink(const char *name) { return drop(AT_FDCWD, name, 0); }
int unlinkat(int at, const char *name, int flags) { return drop(at, name, flags); }
int rmdir(const char *name) { return drop(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) {
  const int result = drop(AT_FDCWD, name, 0);
  return result != 0 && errno == EISDIR ? drop(AT_FDCWD, name, AT_REMOVEDIR) : result;
}

static int make_folder(int at, const char *name, mode_t mode) {
  char path[PATH_MAX];
  const int result = (int)syscall(SYS_mkdirat, at, name, mode);
  if (result == 0 && absolute(at, name, path)) record('M', 0, 0, path, NULL, 0);
  return result;
}
int mkdir(const char *name, mode_t mode) { return make_folder(AT_FDCWD, name, mode); }
int mkdirat(int at, const char *name, mode_t mode) { return make_folder(at, name, mode); }

static int add_name(int old_at, const char *old_name, int new_at, const char *new_name, int flags) {
  char old_path[PATH_MAX], new_path[PATH_MAX];
  const int result = (int)syscall(SYS_linkat, old_at, old_name, new_at, new_name, flags);
  if (result == 0 && (absolute(old_at, old_name, old_path) & absolute(new_at, new_name, new_path)))
    record('L', 0, 0, old_path, new_path, strlen(new_path));
  return result;
}
int link(const char *from, const char *to) { return add_name(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
  return add_name(from_at, from, to_at, to, flags);
}
