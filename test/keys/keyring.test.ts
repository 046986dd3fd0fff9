import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Keyring, type KeyringEntry, KeyringError } from '../../keys/keyring.ts';

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

  /** What `open` says of the folder as it is. */
  function refusal(): KeyringError {
    try {
      open();
    } catch (error) {
      assert.ok(error instanceof KeyringError, String(error));
      return error;
    }
    return assert.fail('it was opened');
  }

  it('makes a key once and finds it again', () => {
    const ring = open();
    assert.deepEqual(ring.list(), []);
    const entry = ring.ensure(7, 'wireguard');
    assert.equal(entry.publicKey, entry.privateKey.publicKey());
    assert.equal(ring.ensure(7, 'wireguard'), entry);
    same(open().get(7), entry);
    assert.equal(open().get(8), undefined);
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
    same(open().get(11), ring.get(11));
    ring.remove(9);
    ring.remove(9);
    assert.deepEqual(fs.readdirSync(folder).sort(), ['10.wireguard', '11.ipsec']);
    assert.equal(ring.get(9), undefined);
  });

  it('keeps one driver a generation', () => {
    const ring = open();
    ring.ensure(7, 'wireguard');
    assert.throws(() => ring.ensure(7, 'ipsec'), {
      name: 'KeyringError',
      code: 'KEY_AMBIGUOUS',
      path: file(),
    });
    ring.ensure(8, 'ipsec');
    fs.writeFileSync(file('8.wireguard'), fs.readFileSync(file()), { mode: 0o600 });
    assert.equal(refusal().code, 'KEY_DAMAGED');
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

  const damages: readonly (readonly [name: string, damage: (text: Buffer) => Buffer])[] = [
    ['empty', () => Buffer.alloc(0)],
    ['zeros, as after a crash of some file systems', (text) => Buffer.alloc(text.length)],
    ["another program's", () => Buffer.from('hello\n')],
    ['megabytes', (text) => Buffer.concat([text, Buffer.alloc(3_000_000, 'x')])],
  ];
  for (const [name, damage] of damages)
    it(`stops when a key file is ${name}`, () => {
      open().ensure(7, 'wireguard');
      const bad = damage(fs.readFileSync(file()));
      fs.writeFileSync(file(), bad);
      const error = refusal();
      assert.equal(error.code, 'KEY_DAMAGED');
      assert.ok(
        error.message.startsWith(`${file()}: `) && error.message.includes('remove it'),
        error.message,
      );
      assert.deepEqual(fs.readFileSync(file()), bad, 'it was not touched');
    });

  it('stops at every truncation and every changed byte, and quotes none of it', () => {
    const { privateKey } = open().ensure(7, 'wireguard');
    const text = fs.readFileSync(file());
    const secret = privateKey.reveal();
    const stops = (bad: Buffer): void => {
      fs.writeFileSync(file(), bad);
      const error = refusal();
      assert.equal(error.code, 'KEY_DAMAGED');
      assert.ok(!inspect(error, { depth: 9 }).includes(secret.slice(0, 20)));
    };
    for (let length = 0; length < text.length; length += 1) stops(text.subarray(0, length));
    const change = fc.tuple(fc.nat(text.length - 1), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(change, ([at, bits]) => {
        const bad = Buffer.from(text);
        bad[at] = (bad[at] ?? 0) ^ bits;
        stops(bad);
      }),
    );
  });

  it("stops when a key stands under another generation's name", () => {
    open().ensure(7, 'wireguard');
    fs.renameSync(file(), file('9.wireguard'));
    assert.match(refusal().message, /9\.wireguard: holds the key of another generation/);
  });

  const unsafe: readonly (readonly [name: string, spoil: (file: string) => void, says: RegExp])[] = [
    ['readable by others', (it) => fs.chmodSync(it, 0o604), /has mode 0604.*chmod 0600/],
    ['readable by the group', (it) => fs.chmodSync(it, 0o640), /has mode 0640/],
    ["somebody else's", (it) => fs.chownSync(it, 4242, 0), /belongs to user 4242.*chown 0/],
    [
      'a symbolic link',
      (it) => {
        fs.renameSync(it, `${it}.real`);
        fs.symlinkSync(`${it}.real`, it);
      },
      /is a symbolic link/,
    ],
    [
      'a folder',
      (it) => {
        fs.rmSync(it);
        fs.mkdirSync(it, { mode: 0o700 });
      },
      /is a directory, expected a file/,
    ],
  ];
  for (const [name, spoil, says] of unsafe)
    it(`stops when a key file is ${name}`, () => {
      open().ensure(7, 'wireguard');
      spoil(file());
      const error = refusal();
      assert.equal(error.code, 'KEY_UNSAFE');
      assert.equal(error.path, file());
      assert.match(error.message, says);
    });

  const unsafeFolders: readonly (readonly [name: string, spoil: () => void])[] = [
    ['open to others', () => fs.chmodSync(folder, 0o755)],
    ["somebody else's", () => fs.chownSync(folder, 4242, 0)],
    [
      'a symbolic link',
      () => {
        fs.renameSync(folder, `${folder}.real`);
        fs.symlinkSync(`${folder}.real`, folder);
      },
    ],
    [
      'a file',
      () => {
        fs.rmSync(folder, { recursive: true });
        fs.writeFileSync(folder, '', { mode: 0o600 });
      },
    ],
  ];
  for (const [name, spoil] of unsafeFolders)
    it(`stops when the folder is ${name}`, () => {
      open().ensure(7, 'wireguard');
      spoil();
      assert.equal(refusal().code, 'KEYRING_DIRECTORY_UNSAFE');
    });

  it('says what the system said when it cannot write', () => {
    const ring = open();
    fs.rmSync(folder, { recursive: true });
    assert.throws(
      () => ring.ensure(7, 'wireguard'),
      (error: KeyringError) =>
        error.code === 'KEY_NOT_WRITTEN' && error.message.includes('ENOENT') && error.cause instanceof Error,
    );
    assert.equal(ring.get(7), undefined);
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
    same(open().get(7), fresh);
    assert.throws(() => ring.renew(8), { code: 'KEY_MISSING' });
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
