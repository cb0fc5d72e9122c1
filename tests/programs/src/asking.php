<?php
// asking.php HOST PORT: a stream that connects in the background, and getpeername() at most.
$to = "tcp://{$argv[1]}:{$argv[2]}";
$stream = stream_socket_client($to, $code, $why, 20, STREAM_CLIENT_CONNECT | STREAM_CLIENT_ASYNC_CONNECT);
$read = $except = null;
$write = [$stream];
if (!$stream || !stream_select($read, $write, $except, 20) || fwrite($stream, "word\n") !== 5)
	exit(1);
stream_set_timeout($stream, 20);
echo fgets($stream);
