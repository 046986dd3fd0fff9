import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Keyring, KeyringError } from '../../keys/keyring.ts';

describe('a keyring that is damaged or open to others', () => {
  let parent: string;
  let folder: string;
  const open = (): Keyring => Keyring.open(folder);
  const file = (name = '7.wireguard'): string => path.join(folder, name);

  beforeEach(() => {
    parent = fs.mkdtempSync(path.join(os.tmpdir(), 'sheath-keyring-'));
    folder = path.join(parent, 'state', 'keys');
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
});
