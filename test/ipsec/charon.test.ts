/** How a charon of our own is started, found and ended; with a stand-in, for what it does is its own tests' matter. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Charon, type CharonConfig } from '../../tunnels/ipsec/charon.ts';

const STAND_IN = `
const conf = require('fs').readFileSync(process.env.STRONGSWAN_CONF, 'utf8');
const socket = /unix:\\/\\/(\\S+)/.exec(conf)[1];
require('net').createServer((connection) => connection.on('error', () => {})).listen(socket);
`;

const config: CharonConfig = { fwmark: 0x1000, ports: { ike: 500, natt: 4500 } };

const listens = (path: string) =>
  new Promise<boolean>((resolve) => {
    const connection = connect(path, () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });

describe('a charon of our own', () => {
  let folder: string;
  const charonOf = (program: string) => new Charon({ folder: join(folder, 'ipsec'), program });
  const program = (text: string) => {
    const path = join(folder, 'program');
    writeFileSync(path, text);
    chmodSync(path, 0o700);
    return path;
  };
  const standIn = () =>
    program(`#!/bin/sh\nexec ${process.execPath} -e "$(cat <<'END'\n${STAND_IN}\nEND\n)"\n`);
  const pid = () => Number.parseInt(readFileSync(join(folder, 'ipsec/charon.pid'), 'utf8'), 10);
  const isAlive = (one: number) => {
    try {
      return !readFileSync(`/proc/${one}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sheath-charon-'));
  });
  afterEach(async () => {
    await charonOf('none').stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is started once, and found by whoever comes later', async () => {
    const path = standIn();
    assert.equal(await charonOf(path).ensure(config), 'started');
    const first = pid();
    assert.equal(await charonOf(path).ensure(config), 'found');
    assert.equal(pid(), first);
    assert.equal(statSync(join(folder, 'ipsec')).mode & 0o777, 0o700);
    // A session of its own: what ends ours does not end it.
    const session = Number(readFileSync(`/proc/${first}/stat`, 'utf8').split(') ')[1]?.split(' ')[3]);
    assert.equal(session, first);
  });

  it('with other settings is another one', async () => {
    const path = standIn();
    await charonOf(path).ensure(config);
    const first = pid();
    assert.equal(await charonOf(path).ensure({ ...config, fwmark: 0x2000 }), 'started');
    assert.notEqual(pid(), first);
    assert.ok(!isAlive(first));
  });

  it('that was killed is started again', async () => {
    const charon = charonOf(standIn());
    await charon.ensure(config);
    const first = pid();
    process.kill(first, 'SIGKILL');
    // Its threads end one after the other, and the last of them has the socket.
    while (isAlive(first) || (await listens(charon.socket))) await sleep(5);
    assert.equal(await charon.ensure(config), 'started');
    assert.ok(isAlive(pid()));
  });

  it('that is stopped leaves nothing running, and to stop it again is no error', async () => {
    const charon = charonOf(standIn());
    await charon.ensure(config);
    const first = pid();
    await charon.stop();
    assert.ok(!isAlive(first));
    assert.ok(!existsSync(charon.socket));
    await charon.stop();
  });

  it('another process that has its number now is let be', async () => {
    const charon = charonOf(standIn());
    await charon.ensure(config);
    const first = pid();
    const file = join(folder, 'ipsec/charon.pid');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, `${process.pid} 1\n`);
    await charon.stop();
    assert.ok(isAlive(first));
    writeFileSync(file, before);
  });

  it('that is missing, or ends at once, is an error that says so', async () => {
    await assert.rejects(charonOf(join(folder, 'nowhere')).ensure(config), {
      code: 'CHARON_MISSING',
      message: /nowhere is not there; install strongSwan/,
    });
    const broken = program('#!/bin/sh\necho "unable to bind socket: Address already in use" >&2\nexit 1\n');
    await assert.rejects(charonOf(broken).ensure(config), {
      code: 'CHARON_FAILED',
      message: /does not listen on .*charon\.vici; it said: unable to bind socket/,
    });
  });
});
