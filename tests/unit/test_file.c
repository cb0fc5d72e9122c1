/* Private files: read with care, replaced as a whole, locked; and the conf files on top of that. */

#include "cli/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/base/conf_file.h"
#include "tests/unit/suite.h"

#define ID "0e8a675b-6b84-4220-89e4-a6a7a0d823fb"

static char folder[] = "/tmp/gs-test-file-XXXXXX";
static char path[128], temp[160];

static void setup(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(temp, sizeof(temp), "%s/.file.abcdef", folder);
}

static void teardown(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static int read_back(size_t max, char *into)
{
	char *data = NULL;
	size_t len = 0;
	int err = file_read_private(path, max, &data, &len);
	if (!err && into)
		strcpy(into, data);
	file_wipe(data, len);
	return err;
}

START_TEST(test_replace)
{
	char text[64] = "";
	struct stat st;
	umask(0);
	ck_assert_int_eq(read_back(100, NULL), -ENOENT);
	ck_assert_int_eq(file_replace(path, "one", 3), 0);
	ck_assert_int_eq(file_replace(path, "second", 6), 0);
	ck_assert_int_eq(read_back(100, text), 0);
	ck_assert_str_eq(text, "second");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(read_back(6, NULL), 0);
	ck_assert_int_eq(read_back(5, NULL), -EFBIG);
}
END_TEST

START_TEST(test_refused)
{
	ck_assert_int_eq(file_replace(path, "x", 1), 0);
	static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0666};
	for (size_t i = 0; i < COUNT(open_modes); i++) {
		ck_assert_int_eq(chmod(path, open_modes[i]), 0);
		ck_assert_int_eq(read_back(100, NULL), -EPERM);
	}
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(read_back(100, NULL), -EISDIR);
	ck_assert_int_lt(file_replace(path, "x", 1), 0);
	rmdir(path);
	/* Nobody writes into it: a blocking open would wait for ever. */
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(read_back(100, NULL), -EINVAL);
}
END_TEST

START_TEST(test_failed_replace_leaves_nothing)
{
	char missing[160];
	snprintf(missing, sizeof(missing), "%s/none/file", folder);
	ck_assert_int_eq(file_replace(missing, "x", 1), -ENOENT);
	ck_assert_int_eq(file_replace(path, "x", 1), 0);
	ck_assert_int_eq(rmdir(folder), -1);
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
}
END_TEST

START_TEST(test_sweep)
{
	close(open(temp, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(file_replace(path, "x", 1), 0);
	file_sweep(path);
	ck_assert_int_eq(access(temp, F_OK), -1);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_make_folder)
{
	char deep[160];
	struct stat st;
	snprintf(deep, sizeof(deep), "%s/a/b/c", folder);
	ck_assert_int_eq(file_make_folder(deep), 0);
	ck_assert_int_eq(file_make_folder(deep), 0);
	ck_assert_int_eq(stat(deep, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(file_replace(path, "x", 1), 0);
	ck_assert_int_eq(file_make_folder(path), -ENOTDIR);
	snprintf(deep, sizeof(deep), "%s/x", path);
	ck_assert_int_eq(file_make_folder(deep), -ENOTDIR);
}
END_TEST

/* A child that holds the lock until its end, and tells by the pipe that it does. */
static pid_t hold(int *waited)
{
	int ready[2];
	char byte;
	ck_assert_int_eq(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		ck_assert_int_ge(file_lock(path, 5000, NULL, waited), 0);
		ck_assert_int_eq(write(ready[1], "x", 1), 1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

START_TEST(test_lock)
{
	int waited;
	pid_t child = hold(&waited);
	ck_assert_int_eq(file_lock(path, 0, NULL, &waited), -ETIMEDOUT);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	int fd = file_lock(path, 5000, NULL, &waited);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(waited, 0);
	/* Who cleans up removes the file: the next one makes another. */
	file_unlink_lock(path);
	int other = file_lock(path, 5000, NULL, &waited);
	ck_assert_int_ge(other, 0);
	close(other);
	close(fd);
}
END_TEST

START_TEST(test_base)
{
	setenv("HOME", "/home/ada/", 1);
	unsetenv("GLOBUS_STREAMS_BASE_DIR");
	char *base = conf_file_base(NULL);
	ck_assert_str_eq(base, "/home/ada/.globus/streams");
	free(base);
	setenv("GLOBUS_STREAMS_BASE_DIR", "/elsewhere//", 1);
	base = conf_file_base(NULL);
	ck_assert_str_eq(base, "/elsewhere");
	free(base);
	base = conf_file_base("given/");
	ck_assert_str_eq(base, "given");
	free(base);
}
END_TEST

START_TEST(test_conf)
{
	struct conf conf = {0};
	char *why = NULL;
	ck_assert_int_eq(conf_file_read(folder, ID, &conf, &why), -ENOENT);
	ck_assert_ptr_nonnull(strstr(why, "initialize --base-dir "));
	ck_assert_ptr_nonnull(strstr(why, " " ID));
	free(why);
	ck_assert_int_eq(conf_set(&conf, CONF_LANKEY, "secret"), 0);
	ck_assert_int_eq(conf_set(&conf, "own", "kept"), 0);
	ck_assert_int_eq(conf_file_write(folder, ID, &conf, &why), 0);
	conf_finish(&conf);
	ck_assert_int_eq(conf_file_read(folder, ID, &conf, &why), 0);
	ck_assert_str_eq(conf_get(&conf, CONF_LANKEY), "secret");
	ck_assert_str_eq(conf_get(&conf, "own"), "kept");
	conf_finish(&conf);
	snprintf(path, sizeof(path), "%s/" ID ".conf", folder);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(conf_file_read(folder, ID, &conf, &why), -EPERM);
	ck_assert_ptr_nonnull(strstr(why, "chmod 600"));
	free(why);
	ck_assert_int_eq(file_replace(path, "a\0b=c\n", 6), 0);
	ck_assert_int_eq(conf_file_read(folder, ID, &conf, &why), -EINVAL);
	free(why);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("file");
	TCase *cases = tcase_create("file");
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, test_replace);
	tcase_add_test(cases, test_refused);
	tcase_add_test(cases, test_failed_replace_leaves_nothing);
	tcase_add_test(cases, test_sweep);
	tcase_add_test(cases, test_make_folder);
	tcase_add_test(cases, test_lock);
	tcase_add_test(cases, test_base);
	tcase_add_test(cases, test_conf);
	suite_add_tcase(suite, cases);
	return suite;
}
