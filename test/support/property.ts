import fc from 'fast-check';

/**
 * fast-check with a seed: every run of the tests tries the same cases. SEED=n in the environment tries others.
 */
fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 1) });

export default fc;
