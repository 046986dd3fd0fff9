import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { Keyring, type KeyringEntry, type KeyringError } from '../../keys/keyring.ts';

const NOW = Date.UTC(2026, 10, 22, 15);

describe('Keyring', () => {
  let parent: string;
  let folder: string;
  let now: number;
  const open = (): Keyring => Keyring.open(folder, { now: () => now });
  const file = (name = '7.wireguard'): string => path.join(folder, name);

  beforeEach(() => {
    parent = fs.mkdtempSync(path.join(os.tmpdir(), 'sheath-keyring-'));
    folder = path.join(parent, 'state', 'keys');
    now = NOW;
  });
  afterEach(() => fs.rmSync(parent, { recursive: true }));

  it('makes a key once and finds it again', () => {
    const ring = open();
    assert.deepEqual(ring.list(), []);
    const entry = ring.ensure(7, 'wireguard');
    assert.equal(entry.publicKey, entry.privateKey.publicKey());
    assert.equal(ring.ensure(7, 'wireguard'), entry);
    same(open().get(7, 'wireguard'), entry);
    assert.equal(open().get(8, 'wireguard'), undefined);
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
    assert.equal(fs.statSync(file()).mode & 0o777, 0o600);
    assert.deepEqual(fs.readdirSync(folder), ['7.wireguard']);
  });

  it('keeps its mode whatever the umask', () => {
    const before = process.umask(0);
    try {
      open().ensure(7, 'wireguard');
    } finally {
      process.umask(before);
    }
    assert.deepEqual([fs.statSync(folder).mode & 0o777, fs.statSync(file()).mode & 0o777], [0o700, 0o600]);
  });

  it('lists by generation, and removes', () => {
    const ring = open();
    for (const number of [10, 9]) ring.ensure(number, 'wireguard');
    ring.ensure(11, 'ipsec');
    assert.deepEqual(
      open()
        .list()
        .map(({ generation, driver }) => `${generation} ${driver}`),
      ['9 wireguard', '10 wireguard', '11 ipsec'],
    );
    same(open().get(11, 'ipsec'), ring.get(11, 'ipsec'));
    ring.remove(9, 'wireguard');
    ring.remove(9, 'wireguard');
    assert.deepEqual(fs.readdirSync(folder).sort(), ['10.wireguard', '11.ipsec']);
    assert.equal(ring.get(9, 'wireguard'), undefined);
  });

  it('keeps a key of each driver for one generation', () => {
    const ring = open();
    const wireguard = ring.ensure(7, 'wireguard');
    const ipsec = ring.ensure(7, 'ipsec');
    assert.notEqual(ipsec.publicKey, wireguard.publicKey);
    same(open().get(7, 'ipsec'), ipsec);
    ring.remove(7, 'wireguard');
    assert.deepEqual(fs.readdirSync(folder), ['7.ipsec']);
    same(open().get(7, 'ipsec'), ipsec);
    assert.equal(open().get(7, 'wireguard'), undefined);
  });

  it('gives no secret away in text', () => {
    const entry = open().ensure(7, 'wireguard');
    const secret = entry.privateKey.reveal();
    for (const text of [
      JSON.stringify(entry),
      inspect(entry, { depth: 9, showHidden: true }),
      String(entry.privateKey),
    ])
      assert.ok(!text.includes(secret), text);
    assert.ok(fs.readFileSync(file(), 'utf8').includes(secret));
  });

  it('says what the system said when it cannot write', () => {
    const ring = open();
    fs.rmSync(folder, { recursive: true });
    assert.throws(
      () => ring.ensure(7, 'wireguard'),
      (error: KeyringError) =>
        error.code === 'KEY_NOT_WRITTEN' && error.message.includes('ENOENT') && error.cause instanceof Error,
    );
    assert.equal(ring.get(7, 'wireguard'), undefined);
  });

  it('leaves alone what is not its own, and clears its own leftovers', () => {
    open().ensure(7, 'wireguard');
    for (const name of ['README', '7.wireguard.bak', '07.wireguard', '.hidden'])
      fs.writeFileSync(file(name), 'x', { mode: 0o644 });
    fs.writeFileSync(file('.8.wireguard.new'), 'half a k', { mode: 0o600 });
    assert.deepEqual(open().list().length, 1);
    assert.deepEqual(fs.readdirSync(folder).sort(), [
      '.hidden',
      '07.wireguard',
      '7.wireguard',
      '7.wireguard.bak',
      'README',
    ]);
  });

  it('renews in place', () => {
    const ring = open();
    const old = ring.ensure(7, 'wireguard');
    const fresh = ring.renew(7);
    assert.notEqual(fresh.publicKey, old.publicKey);
    same(open().get(7, 'wireguard'), fresh);
    assert.throws(() => ring.renew(8), { code: 'KEY_MISSING' });
  });

  it('has no clock for IPsec, whose handshakes carry no time', () => {
    const ring = open();
    ring.ensure(7, 'ipsec');
    assert.equal(ring.newestTimeOnDisk(), 0);
    assert.throws(() => ring.renew(7), { code: 'KEY_MISSING' });
  });

  it('knows the newest time it lived at, until all keys are renewed', () => {
    const ring = open();
    assert.equal(ring.newestTimeOnDisk(), 0);
    ring.ensure(7, 'wireguard');
    now += 10_000;
    ring.ensure(8, 'wireguard');
    assert.equal(open().newestTimeOnDisk(), NOW + 10_000);
    ring.touch(NOW + 600_000);
    ring.touch(NOW + 659_999);
    ring.touch(NOW);
    assert.equal(open().newestTimeOnDisk(), NOW + 600_000);
    ring.touch(NOW + 660_000);
    const late = open();
    assert.equal(late.newestTimeOnDisk(), NOW + 660_000);
    now = NOW - 3_600_000;
    late.renew(7);
    assert.ok(late.newestTimeOnDisk() > now, 'generation 8 is still of the future');
    late.renew(8);
    assert.equal(open().newestTimeOnDisk(), now);
  });

  it('takes a damaged clock for none', () => {
    open().touch(NOW);
    fs.writeFileSync(file('clock'), 'tea time');
    assert.equal(open().newestTimeOnDisk(), 0);
  });
});

function same(found: KeyringEntry | undefined, expected: KeyringEntry | undefined): void {
  assert.ok(found !== undefined && expected !== undefined);
  assert.deepEqual(
    { ...found, privateKey: found.privateKey.reveal() },
    { ...expected, privateKey: expected.privateKey.reveal() },
  );
}
