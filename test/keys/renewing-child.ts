/** Renews one key for ever, for a test that kills it; says so once when it has begun. */
import { Keyring } from '../../keys/keyring.ts';

const ring = Keyring.open(process.argv[2] ?? '');
ring.ensure(7, 'wireguard');
ring.renew(7);
process.stdout.write('begun\n');
for (;;) ring.renew(7);
