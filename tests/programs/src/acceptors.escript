#!/usr/bin/env escript
%% gen_tcp with as many acceptors as the words say, each busy for a while with what it has accepted; and callers, all at
%% once. Words: listen inet|socket PORT ACCEPTORS COUNT; call inet|socket HOST PORT CALLERS.

main(["listen", Backend, Port, Acceptors, Count]) ->
    {ok, Listener} = gen_tcp:listen(list_to_integer(Port),
        options(Backend) ++ [{ip, {127, 0, 0, 1}}, {reuseaddr, true}, {backlog, 128}]),
    Main = self(),
    times(Acceptors, fun(_) -> spawn_link(fun() -> accept(Listener, Main) end) end),
    times(Count, fun(_) -> receive served -> ok end end),
    io:format("served ~s~n", [Count]);
main(["call", Backend, Host, Port, Callers]) ->
    Main = self(),
    times(Callers, fun(Number) ->
        spawn(fun() -> Main ! {Number, catch call(options(Backend), Host, list_to_integer(Port), Number)} end)
    end),
    Answers = times(Callers, fun(Number) -> receive {Number, Answer} -> Answer end end),
    io:format("wrong ~w~n", [[Answer || Answer <- Answers, Answer =/= right]]).

options(Backend) ->
    [{inet_backend, list_to_atom(Backend)}, binary, {active, false}].

times(Count, Function) ->
    lists:map(Function, lists:seq(1, list_to_integer(Count))).

%% With a time limit: without one, OTP 25's inet_backend socket takes an accept() that finds nothing for its end.
accept(Listener, Main) ->
    {ok, Socket} = gen_tcp:accept(Listener, 60000),
    {ok, Word} = gen_tcp:recv(Socket, 0),
    timer:sleep(50),
    ok = gen_tcp:send(Socket, Word),
    gen_tcp:close(Socket),
    Main ! served,
    accept(Listener, Main).

call(Options, Host, Port, Number) ->
    Word = integer_to_binary(Number),
    {ok, Socket} = gen_tcp:connect(Host, Port, Options, 20000),
    ok = gen_tcp:send(Socket, Word),
    {ok, Word} = gen_tcp:recv(Socket, 0, 20000),
    gen_tcp:close(Socket),
    right.
