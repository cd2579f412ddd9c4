/*
 * A disk that takes its time: preloaded into a program, it lets each fdatasync and fsync last longer.
 *
 *   SLOW_SYNC_MILLISECONDS  how much longer
 *   SLOW_SYNC_ONLY          only of files with this in their path; all of them when it is empty or not set
 *   SLOW_SYNC_TRACE         a file that gets a line when a sync begins and one when it is over: `begin PATH`, `end PATH`
 *
 * The bytes were handed to the kernel before, so a program that is killed in the middle finds them after its next start.
 * Must not know which program it slows down.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void path_of(int file, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = '\0';
}

static void trace(const char *word, const char *path)
{
    const char *name = getenv("SLOW_SYNC_TRACE");
    if (name == NULL) {
        return;
    }
    int output = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output < 0) {
        return;
    }
    char line[PATH_MAX + 16];
    int length = snprintf(line, sizeof line, "%s %s\n", word, path);
    /* One write, so that lines of several threads do not mix. A trace that cannot be written is missed by its reader. */
    ssize_t written = write(output, line, (size_t)length);
    (void)written;
    close(output);
}

static void wait_milliseconds(long milliseconds)
{
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static int slow_sync(long call, int file)
{
    const char *only = getenv("SLOW_SYNC_ONLY");
    const char *delay = getenv("SLOW_SYNC_MILLISECONDS");
    char path[PATH_MAX];
    path_of(file, path, sizeof path);
    if (delay == NULL || (only != NULL && strstr(path, only) == NULL)) {
        return (int)syscall(call, file);
    }
    trace("begin", path);
    wait_milliseconds(atol(delay));
    int result = (int)syscall(call, file);
    int error = errno;
    trace("end", path);
    errno = error;
    return result;
}

int fdatasync(int file)
{
    return slow_sync(SYS_fdatasync, file);
}

int fsync(int file)
{
    return slow_sync(SYS_fsync, file);
}
