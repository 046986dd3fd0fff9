// kernel suite: kernels newest, memory 2G, timeout 600
/** Who is refused, on real charons and a real kernel: it is counted and said, and nobody else loses a packet. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IkeRefusalCode, Report } from '../../tunnels/dataplane.ts';
import { DEFAULT_IPSEC } from '../../tunnels/ipsec/settings.ts';
import { eventually, type Machine, Machines } from './ipsec/machines.ts';
import { espPacketsOf } from './ipsec/pcap.ts';
import type { IpsecShape } from './ipsec/shape.ts';
import { during, type Flow, podOf, podOf6 } from './ipsec/traffic.ts';

/** The mesh; the fifth machine is a stranger. */
const MEMBERS = [1, 2, 3, 4];
const STRANGER = 5;

describe('IPsec, who is refused', function () {
  this.timeout(120_000);
  let machines: Machines;
  const at = (number: number): Machine => machines.at(number - 1);
  const shapeOf = (self: number, more: Partial<IpsecShape> = {}): IpsecShape => ({
    self,
    peers: MEMBERS.filter((n) => n !== self),
    generations: [7],
    ...more,
  });
  const set = async (self: number, more: Partial<IpsecShape> = {}): Promise<Report> => {
    const report = await at(self).set(shapeOf(self, more));
    assert.deepEqual(report.errors, []);
    return report;
  };
  const established = (self: number, peers: number) =>
    eventually(async () => {
      const seen = await at(self).observe();
      const now = seen.filter(({ lastHandshake }) => lastHandshake !== undefined);
      assert.equal(now.length, peers, `n${self} has sessions with ${now.length} of ${peers}`);
    }, 40);
  const wellAgain = async () => {
    for (const self of MEMBERS) await set(self);
    for (const self of MEMBERS) await established(self, 3);
    const all = MEMBERS.map((n): Flow => [n, podOf((n % 4) + 1)]);
    await eventually(async () => assert.deepEqual(await during(all, 1), [0, 0, 0, 0]));
  };
  const refused = async (self: number, code: IkeRefusalCode): Promise<number> =>
    (await set(self)).ipsec?.refused?.find((one) => one.code === code)?.times ?? 0;
  const dropped = async (self: number, reason: string): Promise<number> =>
    (await set(self)).ipsec?.dropped.find((one) => one.reason === reason)?.packets ?? 0;

  /** As the payload of IPv4 to the first machine. @param protocol default: ESP */
  function sendRaw(from: number, packets: readonly Buffer[], protocol = 50): void {
    const path = `${at(from).folder}/packets`;
    writeFileSync(path, packets.map((packet) => packet.toString('hex')).join('\n'));
    const send = 'send(S, pack("H*", $_), 0, pack_sockaddr_in(0, inet_aton("192.0.2.1")))';
    at(from).on(
      `perl -MSocket -nle 'BEGIN { socket(S, PF_INET, SOCK_RAW, ${protocol}) or die } ${send} or die $!' ${path}`,
    );
  }

  before(async () => {
    machines = new Machines(5, DEFAULT_IPSEC);
    await wellAgain();
  });
  after(() => machines?.close());

  it('nobody, as long as all is as it shall be', async () => {
    // While they came up, some asked others that did not know them yet.
    const counts = () => Promise.all(MEMBERS.map(async (self) => (await set(self)).ipsec));
    const before = await counts();
    const all = MEMBERS.map((n): Flow => [n, podOf((n % 4) + 1)]);
    assert.deepEqual(await during(all, 3), [0, 0, 0, 0]);
    assert.deepEqual(await counts(), before);
    for (const ipsec of before) assert.deepEqual(ipsec?.dropped, []);
  });

  it('two nodes that each claim the key of the other', async () => {
    const others: Flow[] = [
      [2, podOf(3)],
      [3, podOf6(4)],
      [4, podOf(1)],
    ];
    const lost = await during(others, 8, async () => {
      await set(1, { stolen: { 2: 3, 3: 2 } });
      await eventually(async () => assert.ok((await refused(2, 'IKE_PEER_UNPROVEN')) > 0));
      await eventually(async () => assert.ok((await refused(3, 'IKE_PEER_UNPROVEN')) > 0));
      await set(1, { stolen: { 2: 3, 3: 2 } });
    });
    assert.deepEqual(lost, [0, 0, 0]);
    const said = (await at(2).said()).map(([{ code, node }]) => `${code} ${node}`);
    assert.ok(said.includes('IKE_PEER_UNPROVEN n1'), said.join('\n'));
    await established(1, 1);
    await wellAgain();
  });

  it("one that claims another's key: with the owner all goes on", async () => {
    const others: Flow[] = [
      [1, podOf(2)],
      [2, podOf6(3)],
    ];
    const before = await refused(3, 'IKE_PEER_UNPROVEN');
    const lost = await during(others, 6, async () => {
      await set(1, { stolen: { 3: 2 } });
      await eventually(async () => assert.ok((await refused(3, 'IKE_PEER_UNPROVEN')) > before));
    });
    assert.deepEqual(lost, [0, 0]);
    await wellAgain();
  });

  it('a stranger that knocks: with its name and address, and nothing of it is in the kernel', async () => {
    const all = MEMBERS.map((n): Flow => [n, podOf((n % 4) + 1)]);
    const before = await refused(1, 'IKE_PEER_UNPROVEN');
    const lost = await during(all, 8, async () => {
      await at(STRANGER).set(shapeOf(STRANGER, { peers: MEMBERS, restart: ['n1', 'n2', 'n3', 'n4'] }));
      await eventually(async () => assert.ok((await refused(1, 'IKE_PEER_UNPROVEN')) > before));
    });
    assert.deepEqual(lost, [0, 0, 0, 0]);
    const [refusal] = (await at(1).said()).find(([{ node }]) => node === 'n5') ?? [];
    assert.equal(refusal?.code, 'IKE_PEER_UNPROVEN');
    assert.match(refusal?.address ?? '', /^192\.0\.2\.5\[\d+\]$/);
    assert.doesNotMatch(at(1).on('ip xfrm state; ip xfrm policy'), /192\.0\.2\.5/);
    // On its own side it is told that nobody believes it.
    const own = await at(STRANGER).said();
    assert.ok(
      own.some(([{ code }]) => code === 'IKE_OWN_KEY_REFUSED'),
      JSON.stringify(own),
    );
    await at(STRANGER).set({ self: STRANGER, peers: [], generations: [] });
  });

  it('what is no IKE', async () => {
    // UDP, and the header of an IKE_SA_INIT (RFC 7296, 3.1) with nonsense behind it.
    const packet = Buffer.alloc(208, 0xff);
    for (const [i, value] of [500, 500, 208, 0].entries()) packet.writeUInt16BE(value, i * 2);
    packet.fill(0, 16, 24);
    packet.set([33, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, 200], 24);
    sendRaw(STRANGER, [packet], 17);
    await eventually(async () => assert.ok((await refused(1, 'IKE_MALFORMED')) > 0));
  });

  it("what comes from another's prefix, or nobody's, in a peer's own session", async () => {
    const all: Flow[] = [
      [1, podOf(2)],
      [3, podOf(1)],
      [2, podOf6(3)],
    ];
    const lost = await during(all, 4, async () => {
      // An honest node gives what is not its own another source.
      at(4).on('nft flush ruleset; ip addr add 10.244.3.77/32 dev lo; ip addr add 203.0.113.7/32 dev lo');
      for (const source of ['10.244.3.77', '203.0.113.7'])
        assert.throws(() => at(4).on(`ping -c 3 -i 0.1 -W 1 -I ${source} 10.244.1.1`), source);
      at(4).on('ip addr del 10.244.3.77/32 dev lo; ip addr del 203.0.113.7/32 dev lo');
    });
    assert.deepEqual(lost, [0, 0, 0]);
    assert.equal(await dropped(1, 'XfrmInTmplMismatch'), 3);
    assert.equal(await dropped(1, 'XfrmInNoPols'), 3);
    await wellAgain();
  });

  it('packets that were there before, and such as are made up', async () => {
    const file = `${at(1).folder}/esp.pcap`;
    const all: Flow[] = [
      [2, podOf(1)],
      [3, podOf(1)],
    ];
    const lost = await during(all, 6, async () => {
      at(1).on(`tcpdump -q -i under0 -w ${file} -c 50 esp and src 192.0.2.2 2>/dev/null`);
      const packets = espPacketsOf(readFileSync(file));
      assert.equal(packets.length, 50);
      // The same with another sequence number, which the integrity check covers; and with an SPI of nobody's.
      const [first = Buffer.alloc(0)] = packets;
      const [later, nobody] = [Buffer.from(first), Buffer.from(first)];
      later.writeUInt32BE(first.readUInt32BE(4) + 100_000, 4);
      nobody.writeUInt32BE(1, 0);
      sendRaw(4, [...packets, later, nobody]);
    });
    assert.deepEqual(lost, [0, 0]);
    assert.equal(await dropped(1, 'XfrmInStateSeqError'), 50);
    assert.equal(await dropped(1, 'XfrmInStateProtoError'), 1);
    assert.equal(await dropped(1, 'XfrmInNoStates'), 1);
  });
});
