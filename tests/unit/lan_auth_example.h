#ifndef GS_TESTS_LAN_AUTH_EXAMPLE_H
#define GS_TESTS_LAN_AUTH_EXAMPLE_H

/* The worked example of globus-streams-lan-auth(7), and handshakes that have come some way in it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/lan_auth.h"

extern const char secret[];
#define SECRET_LEN 64

extern uint8_t key_id[LAN_AUTH_KEY_ID], caller_nonce[LAN_AUTH_NONCE],
	answerer_nonce[LAN_AUTH_NONCE];
extern uint8_t hello[LAN_AUTH_HELLO], challenge[LAN_AUTH_CHALLENGE], response[LAN_AUTH_RESPONSE],
	status[LAN_AUTH_STATUS], refusal[LAN_AUTH_HEADER];

/* Before each test: all of the above. */
void example_set_up(void);

/* Moving bytes as the owner of a connection does; the secret never stays in la. feed() gives la
 * what it asks for, in pieces that end at every multiple of step, and returns how many it took;
 * drain() returns how many bytes la sends, in pieces of at most step. */
size_t feed(struct lan_auth *la, const uint8_t *bytes, size_t len, size_t step);
size_t drain(struct lan_auth *la, uint8_t out[LAN_AUTH_HELLO], size_t step);

/* la sends this frame; la takes this frame. */
void expect_output(struct lan_auth *la, const uint8_t *frame, size_t len, size_t step);
void expect_taken(struct lan_auth *la, const uint8_t *frame, size_t len, size_t step);

/* la asks for the secret and is given the beginning of it. */
void give_key(struct lan_auth *la, size_t len);

void expect_failed(const struct lan_auth *la, enum lan_auth_fault fault, int error);

/* la refuses with a STATUS of this code, and is then done with. */
void expect_refusal(struct lan_auth *la, enum lan_auth_code code, int error);

/* A role that waits for its first frame, or its second. */
struct wait {
	bool answerer, second;
	const uint8_t *frame;
	size_t len;
};
extern const struct wait waits[];
enum { AT_HELLO, AT_RESPONSE, AT_CHALLENGE, AT_STATUS, WAITS };

/* Come as far as that, and further: the frame is there. */
void begin_wait(struct lan_auth *la, const struct wait *wait);
void end_wait(struct lan_auth *la, const struct wait *wait);

#endif
