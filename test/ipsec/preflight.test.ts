/** What a machine is told before it takes part with IPsec: a kernel that is made up, charons that are real, in a network of their own. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IpsecConfig } from '../../mesh/config.ts';
import { type Daemon, ownDaemon } from '../../tunnels/ipsec/daemon.ts';
import type { EspGaps } from '../../tunnels/ipsec/esp-trials.ts';
import { ipsecFindings } from '../../tunnels/ipsec/preflight.ts';
import { PROFILES } from '../../tunnels/ipsec/proposals.ts';
import { FrameReader, frame } from '../../tunnels/ipsec/vici/frame.ts';
import { encodeMessage, type Message } from '../../tunnels/ipsec/vici/message.ts';

const CONFIG: IpsecConfig = { ...PROFILES.default, lifetime: 3600, vici: undefined, userspace: 'auto' };

describe('preflight of IPsec', function () {
  this.timeout(60_000);
  let folder: string;
  let program: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sheath-preflight-'));
    program = script('charon', 'exec unshare --net charon-systemd');
  });
  after(() => rmSync(folder, { recursive: true }));

  function script(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o700);
    return path;
  }

  interface Machine {
    readonly config?: Partial<IpsecConfig>;
    readonly gaps?: Partial<EspGaps> | Error;
    readonly interfaces?: boolean;
    readonly taken?: readonly number[];
    readonly charon?: string;
  }

  const look = ({ config = {}, gaps = {}, interfaces = true, taken = [], charon = program }: Machine = {}) =>
    ipsecFindings({
      config: { ...CONFIG, ...config },
      folder: join(folder, 'ipsec'),
      program: charon,
      gaps: async () => {
        if (gaps instanceof Error) throw gaps;
        return { families: [], words: [], ...gaps };
      },
      interfaces: async () => interfaces,
      takenPorts: async () => new Set(taken),
    });

  it('has nothing to say of a machine that can, and leaves nothing behind', async () => {
    const before = leftovers();
    assert.deepEqual(await look(), []);
    assert.deepEqual(await look({ config: PROFILES.fips }), []);
    assert.deepEqual(leftovers(), before);
  });

  const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('sheath-charon-'));

  const noIpsec = Object.assign(new Error('socket'), { code: 'EPROTONOSUPPORT' });
  const cases: readonly (readonly [what: string, machine: Machine, expected: RegExp])[] = [
    ['a kernel without IPsec', { gaps: noIpsec }, /^the kernel has no ESP; load the modules xfrm_user, esp4/],
    [
      'a kernel without ESP over IPv6',
      { gaps: { families: [6] } },
      /^the kernel has no ESP over IPv6 \(module esp6\)/,
    ],
    [
      'a kernel without an algorithm',
      { gaps: { words: ['chacha20poly1305', 'aes256-sha384'] } },
      /^the kernel lacks chacha20poly1305, aes256-sha384; .*--ipsec-esp-proposals$/,
    ],
    [
      'a kernel without XFRM interfaces',
      { interfaces: false },
      /^the kernel has no XFRM interfaces; .*xfrm_interface/,
    ],
    [
      'a machine without charon',
      { charon: '/nonexistent/charon' },
      /^\/nonexistent\/charon is not there; install strongSwan/,
    ],
    [
      'a port that is taken',
      { taken: [500, 53] },
      /^UDP port 500 is taken by another program; .*--ipsec-vici/,
    ],
    ['both ports', { taken: [4500, 500] }, /^UDP port 500 and 4500 is taken/],
    [
      'a host without a charon where one is named',
      { config: { vici: '/nonexistent/charon.vici' } },
      /^no charon answers on \/nonexistent\/charon\.vici .*; start it, or leave out --ipsec-vici/,
    ],
  ];
  for (const [what, machine, expected] of cases)
    it(`names ${what}`, async () => {
      const found = await look(machine);
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0] ?? '', expected);
    });

  it('names a charon that does not start, with its own words', async () => {
    const [found = ''] = await look({ charon: script('broken', 'echo no libcharon here >&2; exit 1') });
    assert.match(found, /does not listen on .*; it said: no libcharon here/);
  });

  describe('of a charon that says what it knows', () => {
    const KNOWN = {
      aead: { AES_GCM_16: 'openssl' },
      prf: { PRF_HMAC_SHA2_384: 'openssl' },
      dh: { CURVE_25519: 'openssl', ECP_384: 'openssl' },
    };
    let server: Server | undefined;
    afterEach(() => new Promise((resolve) => server?.close(resolve)));

    async function hostWith(version: string, algorithms: Message): Promise<string> {
      const path = join(folder, `charon-${version}.vici`);
      const answers: Readonly<Record<string, Message>> = {
        version: { version },
        'get-algorithms': algorithms,
      };
      server = createServer((socket) => {
        const reader = new FrameReader();
        socket.on('data', (piece) => {
          // A command is 0, the length of its name, and the name.
          for (const packet of reader.push(piece)) {
            const name = packet.subarray(2, 2 + (packet[1] ?? 0)).toString();
            socket.write(frame(Buffer.concat([Buffer.from([1]), encodeMessage(answers[name] ?? {})])));
          }
        });
      });
      await new Promise<void>((resolve) => server?.listen(path, resolve));
      return path;
    }

    it('takes ML-KEM where it is, and names it where it is not', async () => {
      const old = await hostWith('5.9.8', KNOWN);
      assert.deepEqual(await look({ config: { vici: old } }), []);
      assert.deepEqual(await look({ config: { vici: old, ...PROFILES['post-quantum'] } }), [
        'charon 5.9.8 does not know ke1_mlkem768; install strongSwan 6 with ML-KEM (its plugin ml, or OpenSSL 3.5), or choose another profile with --ipsec-profile',
      ]);
      server?.close();
      const { dh, ...others } = KNOWN;
      const vici = await hostWith('6.0.1', { ...others, ke: { ...dh, ML_KEM_768: 'ml' } });
      assert.deepEqual(await look({ config: { vici, ...PROFILES['post-quantum'] } }), []);
    });

    it('names what else it does not know, once, and leaves ciphers of ESP to the kernel', async () => {
      const vici = await hostWith('5.9.8', KNOWN);
      const config = {
        vici,
        ikeProposals: ['chacha20poly1305-prfsha384-x448', 'aes256gcm16-prfsha384-x448'],
        espProposals: ['aes256ctr-sha512-x448'],
      };
      assert.deepEqual(await look({ config }), [
        'charon 5.9.8 does not know chacha20poly1305, x448; choose others with --ipsec-ike-proposals',
      ]);
    });
  });

  describe('where our own charon runs', () => {
    let daemon: Daemon;
    before(async () => {
      daemon = ownDaemon({ folder: join(folder, 'ipsec'), program });
      await daemon.ready({ fwmark: 0x1000, ports: { ike: 500, natt: 4500 } });
    });
    after(async () => {
      await daemon.stop();
      daemon.close();
    });

    it('asks that one, which has the ports', async () => {
      assert.deepEqual(await look({ taken: [500, 4500], charon: '/nonexistent/charon' }), []);
    });

    it('asks the host for what it knows in the same way', async () => {
      const vici = join(folder, 'ipsec/charon.vici');
      assert.deepEqual(await look({ config: { vici }, taken: [500, 4500] }), []);
    });
  });
});
