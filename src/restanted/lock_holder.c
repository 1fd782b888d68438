/* lock_holder.c - see lock_holder.h */
#include "restanted/lock_holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

#define LOCK_NAME "restante.lock" /* maildir/lock.c */

/* Does descriptor `fd` of the process hold a lock on the file? fdinfo has a line "lock:" for each. */
static bool holds(const char *pid, const char *fd, const struct stat *file)
{
	g_autofree char *link = g_strdup_printf("/proc/%s/fd/%s", pid, fd);
	g_autofree char *info = g_strdup_printf("/proc/%s/fdinfo/%s", pid, fd);
	g_autofree char *text = NULL;
	struct stat st;

	return stat(link, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino &&
	       g_file_get_contents(info, &text, NULL, NULL) && strstr(text, "lock:");
}

static bool holds_any(const char *pid, const struct stat *file)
{
	g_autofree char *folder = g_strdup_printf("/proc/%s/fd", pid);
	g_autoptr(GDir) fds = g_dir_open(folder, 0, NULL);
	const char *fd;

	while (fds && (fd = g_dir_read_name(fds))) {
		if (holds(pid, fd, file))
			return true;
	}
	return false;
}

/* "restanted role store", fit to be shown. */
static void name_command(const char *pid, struct lock_holder *who)
{
	g_autofree char *path = g_strdup_printf("/proc/%s/cmdline", pid);
	g_autofree char *text = NULL;
	gsize n = 0;

	(void)g_file_get_contents(path, &text, &n, NULL);
	n = MIN(n, sizeof(who->command) - 1);
	for (gsize i = 0; i < n; i++)
		who->command[i] = (guchar)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
	who->command[n] = '\0';
	(void)g_strchomp(who->command);
}

static void find(const struct stat *file, struct lock_holder *who)
{
	g_autoptr(GDir) all = g_dir_open("/proc", 0, NULL);
	const char *pid;
	uint64_t number;

	while (all && (pid = g_dir_read_name(all))) {
		if (rs_num_u64(rs_slice_str(pid), G_MAXINT, &number) < 0 || !holds_any(pid, file))
			continue;
		who->pid = (pid_t)number;
		name_command(pid, who);
		return;
	}
}

bool lock_held(const char *path, struct lock_holder *who)
{
	g_autofree char *file = g_build_filename(path, LOCK_NAME, NULL);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	bool held;

	*who = (struct lock_holder){.pid = 0};
	if (fd < 0)
		return false;
	held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK &&
	       fstat(fd, &st) == 0;
	close(fd);
	if (held)
		find(&st, who);
	return held;
}
