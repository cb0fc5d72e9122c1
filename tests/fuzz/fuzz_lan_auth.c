/*
 * Both roles of the handshake against a peer who says anything, in pieces of any size. The first
 * byte chooses the role and whether the other side is the real one, whose bytes the rest changes.
 * Nobody without the secret may get to the end.
 */

#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "protocol/lan_auth.h"

#define TURNS 4096

static const uint8_t key[] = "a secret of the tunnel", id[LAN_AUTH_KEY_ID] = {1, 2, 3};

static void begin(struct lan_auth *la, bool calls)
{
	static const uint8_t nonces[2][LAN_AUTH_NONCE] = {{7}, {9}};
	if (calls)
		lan_auth_caller(la, id, nonces[0]);
	else
		lan_auth_answerer(la, nonces[1]);
}

static void say_key(struct lan_auth *la, bool calls)
{
	bool known = calls || memcmp(lan_auth_key_id(la), id, sizeof(id)) == 0;
	lan_auth_key(la, known ? key : NULL, known ? sizeof(key) : 0);
}

static void take(struct lan_auth *la, struct fuzz_input *input)
{
	size_t room, got;
	uint8_t *to = lan_auth_input(la, &room);
	assert(room > 0);
	const uint8_t *from = fuzz_bytes(input, room, &got);
	if (got)
		memcpy(to, from, got);
	lan_auth_received(la, got);
}

static void give(struct lan_auth *la, struct fuzz_input *input)
{
	size_t len;
	const uint8_t *out = lan_auth_output(la, &len);
	assert(out && len > 0);
	size_t part = fuzz_byte(input) % (len + 1);
	lan_auth_sent(la, part ? part : len);
}

/* Alone with a stranger. */
static void with_stranger(struct fuzz_input *input, bool calls)
{
	struct lan_auth la;
	begin(&la, calls);
	for (int turn = 0; turn < TURNS; turn++) {
		enum lan_auth_need need = lan_auth_need(&la);
		assert(need != LAN_AUTH_DONE && need != LAN_AUTH_NEED_DECIDE);
		if (need == LAN_AUTH_FAILED) {
			assert(lan_auth_errno(&la) > 0 && lan_auth_why(&la));
			return;
		}
		if (need == LAN_AUTH_NEED_RECV && input->size == 0)
			return;
		if (need == LAN_AUTH_NEED_RECV)
			take(&la, input);
		else if (need == LAN_AUTH_NEED_SEND)
			give(&la, input);
		else
			say_key(&la, calls);
	}
}

/* One step of one side; what it sends goes to the other's bytes. false: it waits. */
static bool step(struct lan_auth *la, bool calls, struct fuzz_input *pipe_in, uint8_t *pipe_out,
		 size_t *pipe_len)
{
	size_t len;
	switch (lan_auth_need(la)) {
	case LAN_AUTH_NEED_SEND: {
		const uint8_t *out = lan_auth_output(la, &len);
		memcpy(pipe_out + *pipe_len, out, len);
		*pipe_len += len;
		lan_auth_sent(la, len);
		return true;
	}
	case LAN_AUTH_NEED_RECV:
		if (pipe_in->size == 0)
			return false;
		take(la, pipe_in);
		return true;
	case LAN_AUTH_NEED_KEY:
		say_key(la, calls);
		return true;
	case LAN_AUTH_NEED_DECIDE:
		lan_auth_decide(la, LAN_AUTH_OK, key, sizeof(key));
		return true;
	default:
		return false;
	}
}

/* The two of them, with somebody in between who turns bits at some places. */
static void with_meddler(struct fuzz_input *input)
{
	struct lan_auth sides[2];
	uint8_t bytes[2][512];
	size_t written[2] = {0}, read[2] = {0};
	bool changed = false;
	begin(&sides[0], true);
	begin(&sides[1], false);
	for (int idle = 0, side = 0; idle < 2; side = !side) {
		size_t before = written[side];
		struct fuzz_input in = {bytes[!side] + read[side], written[!side] - read[side]};
		bool moved = step(&sides[side], side == 0, &in, bytes[side], &written[side]);
		read[side] = written[!side] - in.size;
		idle = moved ? 0 : idle + 1;
		if (written[side] > before && input->size >= 2) {
			size_t at = before + fuzz_byte(input) % (written[side] - before);
			uint8_t bits = fuzz_byte(input);
			bytes[side][at] ^= bits;
			changed |= bits != 0;
		}
	}
	bool done = lan_auth_need(&sides[0]) == LAN_AUTH_DONE;
	assert(done != changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	switch (fuzz_byte(&input) % 3) {
	case 0:
		with_stranger(&input, true);
		break;
	case 1:
		with_stranger(&input, false);
		break;
	default:
		with_meddler(&input);
	}
	return 0;
}
