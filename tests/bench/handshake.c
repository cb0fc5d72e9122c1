/* The other side of the comparison: the handshake inside the program, as cheap as it can be had. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "protocol/conf.h"
#include "protocol/lan_auth.h"
#include "tests/bench/bench.h"

void secret_read(struct secret *secret, const char *path)
{
	char text[CONF_SIZE_MAX];
	struct conf conf;
	struct conf_view view;
	const char *key, *why;
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(text, 1, sizeof(text), file) : 0;
	if (len == 0)
		bench_die("%s", path);
	fclose(file);
	errno = 0;
	if (conf_parse(&conf, text, len) < 0 || conf_view(&conf, &view, &key, &why) < 0 ||
	    !view.secured)
		bench_die("%s holds no secret", path);
	memcpy(secret->id, view.key_id, sizeof(secret->id));
	memcpy(secret->key, view.key, sizeof(secret->key));
	secret->len = view.key_len;
	conf_finish(&conf);
}

static int send_frame(int fd, struct lan_auth *la)
{
	size_t len;
	const uint8_t *frame = lan_auth_output(la, &len);
	ssize_t sent = send(fd, frame, len, MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	lan_auth_sent(la, (size_t)sent);
	return 0;
}

static int receive_some(int fd, struct lan_auth *la)
{
	size_t len;
	uint8_t *room = lan_auth_input(la, &len);
	ssize_t got = recv(fd, room, len, 0);
	if (got <= 0)
		return got < 0 ? -errno : -ECONNRESET;
	lan_auth_received(la, (size_t)got);
	return 0;
}

static int run(int fd, struct lan_auth *la, const struct secret *secret)
{
	int err = 0;
	while (err == 0) {
		switch (lan_auth_need(la)) {
		case LAN_AUTH_NEED_SEND:
			err = send_frame(fd, la);
			break;
		case LAN_AUTH_NEED_RECV:
			err = receive_some(fd, la);
			break;
		case LAN_AUTH_NEED_KEY:
			lan_auth_key(la, secret->key, secret->len);
			break;
		case LAN_AUTH_NEED_DECIDE:
			lan_auth_decide(la, LAN_AUTH_OK, secret->key, secret->len);
			break;
		case LAN_AUTH_DONE:
			return 0;
		default:
			return -lan_auth_errno(la);
		}
	}
	return err;
}

int handshake_call(int fd, const struct secret *secret)
{
	struct lan_auth la;
	uint8_t nonce[LAN_AUTH_NONCE];
	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	lan_auth_caller(&la, secret->id, nonce);
	return run(fd, &la, secret);
}

int handshake_answer(int fd, const struct secret *secret)
{
	struct lan_auth la;
	uint8_t nonce[LAN_AUTH_NONCE];
	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	lan_auth_answerer(&la, nonce);
	return run(fd, &la, secret);
}
