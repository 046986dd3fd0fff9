/** What only WireGuard has: started in a namespace of its own. */
import assert from 'node:assert/strict';
import type { Report } from '../../../tunnels/dataplane.ts';
import { actualLines, expectedLines } from './expected.ts';
import { shape, useMachine } from './fixture.ts';
import { driver } from './machine.ts';

const { desired } = driver;
const texts = (report: Report) => report.changes.map(({ part, action, what }) => `${part} ${action} ${what}`);

describe(`only ${driver.title}`, () => {
  const here = useMachine();

  it('makes a link anew that does not establish itself, and provokes a handshake', async () => {
    await here.machine.set(desired(shape));
    const report = await here.machine.set(desired(shape, { keepalive: new Set(['n2']), restart: ['n3'] }));
    assert.equal(report.changes.length, 2, texts(report).join('\n'));
    assert.ok(texts(report).some((text) => text.includes('n2 on sheath1: keepalive 25')));
    assert.ok(texts(report).some((text) => text.includes('n3 on sheath1: restarted')));
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
  });

  it('names a port that another program has', async () => {
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(51831, () => resolve()));
    const report = await here.machine.set(desired(shape));
    const error = report.errors.find(({ code }) => code === 'PORT_TAKEN');
    assert.ok(error?.message.includes('--wireguard-port'), JSON.stringify(report.errors));
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    assert.deepEqual((await here.machine.set(desired(shape))).errors, []);
    assert.deepEqual(await actualLines(), expectedLines(desired(shape)));
  });
});
