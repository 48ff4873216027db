# SPDX-License-Identifier: Apache-2.0
"""Two backbones that share a directory by a redis-server: what one knows, the other knows; and what its loss costs.

    client, uplink ── backbone 1 ──┐
                                   ├── redis-server
    client, uplink ── backbone 2 ──┘
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest

import lab as labs
from backbone_client import Identity, encode_record, stun_mapped_address, stun_request
from lab import A_OVERLAY, PATIENCE
from store import SERVER, Liar, Redis, free_port
from test_backbone import Backbone, expect_error
from test_uplink import NO_UDP, NOTHING_IN
from test_uplinks import DATAGRAM, figures
from uplink_client import Uplink, couple

pytestmark = pytest.mark.skipif(not shutil.which(SERVER), reason="redis-server is missing: run tools/deps.sh check")

GARBAGE = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"+OK\r\n", b":1\r\n", b"*0\r\n", b"*2147483647\r\n", b"$2000000000\r\n" + bytes(60000),
           b"-ERR no\r\n", os.urandom(3000), b"*1\r\n" * 500, b"$-1\r\n" * 1000]


class Instance(Backbone):
    """One that shares a store. Its URL is that of its port, which is known beforehand."""

    def __init__(self, folder, url, *flags):
        folder.mkdir()
        port = free_port()
        super().__init__(folder, "-v", "-store", url, "-advertise", f"http://127.0.0.1:{port}", *flags, listen=f"127.0.0.1:{port}")

    def start(self):
        self.starts += 1
        argv = [labs.program("shadowmesh-backbone"), "-listen", self.listen, "-data", str(self.data), *self.flags]
        self.process = labs.Process(argv, self.folder / f"backbone-{self.starts}.log")
        self.port = int(self.process.wait_log(r"listening on \S+:(\d+) \(HTTP and STUN\), data in (redis|unix)://")[1])
        return self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def info(self):
        return self.client.get("/v1/info")[1]

    def wait_up(self):
        labs.wait_for(lambda: self.client.get(f"/v1/nodes/{'0' * 40}")[0] == 404, 10, "the store is there", every=0.1)
        return self


@pytest.fixture
def redis(tmp_path):
    own = Redis(tmp_path / "redis").start()
    yield own
    own.kill()


@contextlib.contextmanager
def running(*instances):
    try:
        for one in instances:
            one.start()
        yield [one.wait_up() for one in instances]
        for one in instances:
            one.close()
    finally:
        for one in instances:
            one.process.kill()


@pytest.fixture
def two(tmp_path, redis):
    with running(Instance(tmp_path / "one", redis.url), Instance(tmp_path / "two", redis.url)) as instances:
        for one in instances:
            labs.wait_for(lambda one=one: len(one.info().get("backbones", [])) == 2, 10, "both know each other", every=0.2)
        yield instances


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return [Identity(tmp_path_factory.mktemp(f"node-{number}")) for number in range(5)]


def look_up(instance, node):
    return instance.client.get(f"/v1/nodes/{node.hex}")


# ---- one directory


def test_node_registered_at_one_is_found_at_the_other(two, people):
    one, other = two
    for number, me in enumerate(people):
        assert two[number % 2].client.register(me, 5, public=True, network="blue")[0] == 201
    for instance in two:
        assert all(look_up(instance, me)[0] == 200 for me in people)
        ids, after = [], ""
        while after is not None:
            page = instance.client.get(f"/v1/nodes?limit=2{after and '&after=' + after}")[1]
            ids += [node["id"] for node in page["nodes"]]
            after = page.get("next")
        assert ids == sorted(me.hex for me in people)
        assert len(instance.client.get("/v1/networks/blue/nodes")[1]["nodes"]) == len(people)
        assert instance.client.get("/v1/networks/green/nodes")[1]["nodes"] == []
    # An older record is refused at all, whoever has the newer one.
    assert expect_error(other.client.register(people[0], 4), 409)[1]["seq"] == 5
    assert other.client.register(people[0], 6)[0] == 201
    assert expect_error(one.client.register(people[0], 6), 409)[1]["seq"] == 6
    assert one.info()["instance"] == other.info()["instance"]
    assert sorted(one.info()["backbones"]) == sorted([one.url, other.url])
    text = one.client.get("/metrics")[1]
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert check.returncode == 0 and not check.stderr and not check.stdout, check
    assert "\nshadowmesh_backbone_store_up 1\n" in text and "\nshadowmesh_backbone_store_instances 2\n" in text


def test_challenge_of_one_serves_at_the_other(two, people):
    one, other = two
    me = people[0]
    record = encode_record(me, 1, int(time.time()) + 600, one.client.challenge())
    assert other.client.post(record, me.sign(record))[0] == 201
    strange = encode_record(me, 2, int(time.time()) + 600, bytes(32))
    expect_error(other.client.post(strange, me.sign(strange)), 401)
    one.restart()
    one.wait_up()
    labs.wait_for(lambda: len(one.info().get("backbones", [])) == 2, 10, "it is in the cluster again", every=0.2)
    record = encode_record(me, 3, int(time.time()) + 600, one.client.challenge())
    assert other.client.post(record, me.sign(record))[0] == 201


def test_look_up_tells_where_the_node_has_its_uplink(two, people):
    one, other = two
    node = Uplink(other.port)
    assert one.client.register(people[0], 1)[0] == 201
    assert "linked" not in look_up(one, people[0])[1]
    # The uplink's key has to be the record's: a node that is registered under it.
    me = people[1]
    assert one.client.register(me, 1)[0] == 201
    node.close()
    key = uplink_key(me)
    here = Uplink(other.port, key)
    labs.wait_for(lambda: look_up(one, me)[1].get("linked") == other.url, 5, "it is linked at the second")
    moved = Uplink(one.port, key)
    labs.wait_for(lambda: look_up(other, me)[1].get("linked") == one.url, 5, "it is linked at the first")
    here.close()
    moved.ping()
    time.sleep(0.2)
    assert look_up(other, me)[1].get("linked") == one.url
    moved.close()
    labs.wait_for(lambda: "linked" not in look_up(other, me)[1], 5, "it is linked nowhere")


def test_killed_instance_is_in_no_list_after_ten_seconds(two, people):
    one, other = two
    me = people[1]
    assert one.client.register(me, 1)[0] == 201
    node = Uplink(other.port, uplink_key(me))
    node.ping()
    labs.wait_for(lambda: look_up(one, me)[1].get("linked") == other.url, 5, "it is linked at the second")
    other.process.kill()
    labs.wait_for(lambda: "linked" not in look_up(one, me)[1], 15, "nobody is linked at what is dead")
    labs.wait_for(lambda: one.info()["backbones"] == [one.url], 15, "it is the only one", every=0.3)
    other.start().wait_up()
    labs.wait_for(lambda: len(one.info()["backbones"]) == 2, 10, "it is back", every=0.3)
    assert other.stop() == 0
    labs.wait_for(lambda: one.info()["backbones"] == [one.url], 4, "who ends properly says so", every=0.3)
    other.start()


def uplink_key(me):
    """An uplink's key made of an Identity's file."""
    class Key:
        spki, id = me.spki, me.id

        @staticmethod
        def sign(message):
            return me.sign(message, context="shadowmesh link v1")
    return Key()


# ---- the store's loss


def exchange(a, b):
    a.datagrams(b.id, [DATAGRAM])
    assert b.arrived()[2] == [DATAGRAM]
    stream = a.open(b.id)
    number, _ = b.accept()
    a.data(stream, b"hello")
    assert b.read(number, 5) == b"hello"
    a.shut(stream)
    assert b.closed(number) == 0


def reflects(instance):
    with labs.socket.socket(labs.socket.AF_INET, labs.socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", instance.port))
        udp.settimeout(5)
        udp.send(stun_request(b"0123456789ab"))
        return stun_mapped_address(udp.recv(2048), b"0123456789ab") == udp.getsockname()[:2]


def asked_for(seconds, request):
    """The answer, which comes within so many seconds."""
    start = time.monotonic()
    answer = request()
    assert time.monotonic() - start < seconds * PATIENCE
    return answer


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_links_outlive_the_store_and_requests_are_answered_503(two, redis, people, how):
    one, other = two
    assert one.client.register(people[0], 1)[0] == 201
    a, b = Uplink(one.port, source="127.0.1.1"), Uplink(one.port, source="127.0.2.1")
    couple(a, b)
    exchange(a, b)
    generation = one.info()["instance"]
    if how == "stopped":
        redis.send_signal(signal.SIGSTOP)
    else:
        redis.kill()
    for instance in two:
        answer = expect_error(asked_for(4, lambda instance=instance: look_up(instance, people[0])), 503)
        assert "cannot reach its store" in answer[1]["error"] and answer[2]["Retry-After"]
        instance.process.wait_log(r"warn .*the store unix://\S+ is not to be reached \(.+\): .*503")
    asked_for(1, lambda: expect_error(look_up(one, people[0]), 503))  # known to be away: at once
    expect_error(asked_for(1, lambda: one.client.register(people[1], 1)), 503)
    assert one.client.get("/health")[0] == one.client.get("/v1/info")[0] == 200 and reflects(one)
    assert figures(one)["store_up"] == 0
    exchange(a, b)
    labs.wait_for(lambda: one.info()["backbones"] == [one.url], 15, "it vouches for itself alone", every=0.3)
    assert one.info()["instance"] == generation
    newcomer = Uplink(one.port)  # a link needs no store
    couple(newcomer, b)
    exchange(newcomer, b)
    if how == "stopped":
        redis.send_signal(signal.SIGCONT)
    else:
        redis.start()
    for instance in two:
        instance.wait_up()
        instance.process.wait_log(r"info .*the store \S+ is back")
        assert len(re.findall("is not to be reached", instance.log())) == 1
    exchange(a, b)
    if how == "stopped":
        assert look_up(other, people[0])[0] == 200 and one.info()["instance"] == generation
    else:  # what it held in memory is lost: nodes learn it by another instance's name, and who is linked is told anew
        labs.wait_for(lambda: one.info()["instance"] == other.info()["instance"] != generation, 10, "another generation", every=0.2)
        linked = f"shadowmesh:1:linked:{a.id.hex()}"
        labs.wait_for(lambda: redis.say("exists", linked) == "1", 10, "who is linked is told anew", every=0.2)
        assert one.client.register(people[0], 2)[0] == 201 and look_up(other, people[0])[0] == 200


def test_backbone_ends_at_once_while_a_request_waits_for_the_store(two, redis, people):
    one, _ = two
    redis.send_signal(signal.SIGSTOP)
    try:
        request = f"GET /v1/nodes/{people[0].hex} HTTP/1.1\r\nHost: b\r\n\r\n".encode()
        with labs.socket.create_connection(("127.0.0.1", one.port)) as waits, labs.socket.create_connection(("127.0.0.1", one.port)) as leaves:
            for asking in (waits, leaves):
                asking.sendall(request)
            leaves.close()  # before its answer
            assert one.client.get("/health")[0] == 200  # it has both
            start = time.monotonic()
            assert one.stop() == 0
            assert time.monotonic() - start < 1.9 * PATIENCE  # before the store's time is over
    finally:
        redis.send_signal(signal.SIGCONT)
    one.start().wait_up()


@pytest.mark.early
def test_store_that_answers_garbage_is_counted_and_left(tmp_path, people):
    folder = tmp_path / "redis"
    redis = Redis(folder)
    own = Instance(tmp_path / "one", redis.url).start()
    try:
        for text in GARBAGE:
            liar = Liar(redis.socket, text)
            told = labs.wait_for(lambda liar=liar: liar.told, 10, "it is asked")
            expect_error(asked_for(4, lambda: look_up(own, people[0])), 503)
            assert own.client.get("/health")[0] == 200 and told
            liar.close()
        assert figures(own)['store_requests_total{outcome="malformed"}'] > 0
        redis.start()
        own.wait_up()
        assert own.client.register(people[0], 1)[0] == 201
        assert len(re.findall("is not to be reached", own.log())) == 1  # however it lies: it was never there
        own.close()
    finally:
        own.process.kill()
        redis.kill()


def test_store_that_others_write_to_makes_no_answer_wrong(two, redis, people):
    one, _ = two
    me = people[0]
    key = f"shadowmesh:1:record:{me.hex}"
    for damage in (("hset", key, "seq", "x"), ("hset", key, "name", "\x1b[31m"), ("hdel", key, "record"), ("hset", key, "expiry", "soon")):
        redis.say("flushall")
        assert one.client.register(me, 1, public=True)[0] == 201
        redis.say(*damage)
        expect_error(look_up(one, me), 503)
        assert one.client.get("/health")[0] == 200
    redis.say("del", key)
    redis.say("set", key, "text")
    expect_error(look_up(one, me), 503)
    redis.say("del", key)
    assert one.client.register(me, 2, public=True)[0] == 201


# ---- how it is given


def test_password_of_a_file_opens_the_store_and_is_shown_nowhere(tmp_path, people):
    redis = Redis(tmp_path / "redis", password="s3cret-word", port=free_port()).start()
    secret = tmp_path / "password"
    secret.write_text("s3cret-word\n")
    secret.chmod(0o600)
    wrong = tmp_path / "wrong"
    wrong.write_text("another-word\n")
    wrong.chmod(0o600)
    try:
        with running(Instance(tmp_path / "one", redis.url, "-store-password-file", str(secret))) as (one,):
            assert one.client.register(people[0], 1)[0] == 201
            shown = one.log() + one.client.get("/metrics")[1] + (labs.Path(f"/proc/{one.process.pid}/cmdline").read_text())
            assert "s3cret" not in shown
        refused = Instance(tmp_path / "two", redis.url, "-store-password-file", str(wrong)).start()
        refused.process.wait_log(r"is not to be reached \(WRONGPASS")
        expect_error(look_up(refused, people[0]), 503)
        assert "another-word" not in refused.log()
        refused.close()
    finally:
        redis.kill()


def test_store_that_cannot_be_is_one_line(tmp_path):
    def refused(*flags):
        result = subprocess.run([labs.program("shadowmesh-backbone"), "-listen", "127.0.0.1:0", *flags], capture_output=True, text=True,
                                timeout=30)
        assert len(result.stderr.splitlines()) == 1, result.stderr
        return result.returncode, result.stderr
    here = ("-advertise", "http://127.0.0.1:1")
    assert refused("-store", "redis://h")[0] == 2
    code, text = refused("-store", "redis://user:s3cret@h", *here)
    assert code == 2 and "-store-password-file" in text and "s3cret" not in text
    code, text = refused("-store", "redis://no-such-host.invalid", *here)
    assert code == 1 and "no-such-host.invalid" in text
    linked = subprocess.run(["ldd", labs.program("shadowmesh-backbone")], capture_output=True, text=True).stdout
    if "hiredis_ssl" not in linked:
        code, text = refused("-store", "rediss://h", *here)
        assert code == 2 and "hiredis 1.0" in text


# ---- nodes


NAME = "backbone.test"


def uplinks_at(backbone):
    return int(re.search(r"^shadowmesh_backbone_uplinks (\d+)", backbone.get("/metrics")[1], re.MULTILINE)[1])


@pytest.fixture
def cluster_store(lab):
    redis = Redis(lab.dir / "redis").start()
    lab.closers.append(redis.kill)
    return redis


@pytest.fixture
def cluster(lab, cluster_store):
    """(site A, site B, two backbones that share a store): nobody can be dialled and no UDP passes, so that what nodes say goes
    by a backbone alone. One name has both instances' addresses."""
    a_host, b_host, second, server, inet = lab.internet(sites=("site-a", "site-b", "second"))
    for host in (a_host, b_host):
        host.nft(NOTHING_IN)
        (host.dir / "hosts").write_text(f"127.0.0.1 localhost\n{server.address} {NAME}\n{second.address} {NAME}\n")
    inet.nft(NO_UDP)
    return a_host, b_host, [host.backbone(flags=("-store", cluster_store.url, "-advertise", f"http://{host.address}:8080")) for host in (server, second)]


def gap_of(b_host, backbone, others, count):
    """The longest gap in seconds while a backbone is killed and others have so many uplinks."""
    stream = b_host.ping_stream(A_OVERLAY, interval=0.05)
    stream.wait_replies(20, 10)
    backbone.kill()
    labs.wait_for(lambda: sum(map(uplinks_at, others)) == count, 10, "the others have all uplinks")
    stream.wait_replies(30, 10)
    stream.stop()
    backbone.start()
    return stream.longest_gap()


def test_nodes_of_a_killed_backbone_move_to_another_of_its_name(cluster, figure):
    a_host, b_host, backbones = cluster
    named = SimpleNamespace(url=f"http://{NAME}:8080")
    a = labs.receiver(a_host, named, start=False).start(mounts=[(a_host.dir / "hosts", "/etc/hosts")])
    labs.sender(b_host, named, a, start=False).start(mounts=[(b_host.dir / "hosts", "/etc/hosts")])
    b_host.wait_ping(A_OVERLAY, 15)
    gaps = []
    for _ in range(2):
        here = next(one for one in backbones if uplinks_at(one) == 2)
        gaps.append(gap_of(b_host, here, [one for one in backbones if one is not here], 2))
    figure(f"the backbone of two nodes killed, by another of its name again: {', '.join(f'{gap:.1f} s' for gap in gaps)}")
    assert max(gaps) < 3 * PATIENCE


def test_nodes_with_both_backbones_do_not_miss_one(cluster, figure):
    a_host, b_host, backbones = cluster
    both = ("-backbone", backbones[1].url)
    a = labs.receiver(a_host, backbones[0], *both)
    labs.sender(b_host, backbones[0], a, *both)
    b_host.wait_ping(A_OVERLAY, 15)
    gaps = []
    for backbone in backbones:
        labs.wait_for(lambda: sum(map(uplinks_at, backbones)) == 4, 20, "both nodes are linked to both")
        gaps.append(gap_of(b_host, backbone, [one for one in backbones if one is not backbone], 2))
    figure(f"one of two backbones of both nodes killed: {', '.join(f'{gap:.1f} s' for gap in gaps)}")
    assert max(gaps) < 3 * PATIENCE


def test_sessions_outlive_each_backbone_and_the_store(lab, tmp_path, figure):
    """Site A has the first backbone, site B the second; each, and then the store, is killed and comes back."""
    a_host, b_host, second, server, inet = lab.internet(sites=("site-a", "site-b", "second"))
    redis = Redis(lab.dir / "redis").start()
    lab.closers.append(redis.kill)
    backbones = [host.backbone(flags=("-store", redis.url, "-advertise", f"http://{host.address}:8080")) for host in (server, second)]
    a = labs.receiver(a_host, backbones[0])
    b = labs.sender(b_host, backbones[1], a)
    b_host.wait_ping(A_OVERLAY, 10)
    stream = b_host.ping_stream(A_OVERLAY, interval=0.05)
    stream.wait_replies(20, 10)
    for backbone, node in zip(backbones, (a, b)):
        backbone.kill()
        stream.wait_replies(40, 10)
        backbone.start()
        labs.wait_for(lambda backbone=backbone, node=node: backbone.knows(node), 20, "it is registered there")
        stream.wait_replies(10, 10)
    redis.kill()
    stream.wait_replies(60, 15)
    redis.start()
    for node in (a, b):
        for backbone in backbones:
            labs.wait_for(lambda backbone=backbone, node=node: backbone.knows(node), 30, "both are registered at both again")
    stream.wait_replies(10, 10)
    lost = stream.lost()
    figure(f"each of two backbones and the store killed: {len(lost)} pings lost, longest gap {stream.longest_gap():.2f} s")
    assert stream.longest_gap() < 0.5
    stream.stop()
