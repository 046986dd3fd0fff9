import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../../lab/processes.ts';
import type { Mesh } from '../mesh/mesh.ts';

/** Counts the packets from and to an address that everybody on the wire can read. */
export async function watchWire(mesh: Mesh, address: string): Promise<{ stop(): Promise<number> }> {
  const file = `/tmp/sheath-conf-${process.pid}.txt`;
  const wire = `ip netns exec ${mesh.lab.topology.wire}`;
  await run([
    'sh',
    '-c',
    `${wire} tcpdump -lni br0 host ${address} >${file} 2>${file}.log & echo $! >${file}.pid`,
  ]);
  await sleep(2000);
  return {
    async stop() {
      await sleep(1000);
      return Number(
        await run([
          'sh',
          '-c',
          `kill $(cat ${file}.pid); sleep 1; grep -c IP ${file} || true; rm -f ${file}*`,
        ]),
      );
    },
  };
}
