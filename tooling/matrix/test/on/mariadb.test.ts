import { testStore } from '../../src/test-store.js';

await testStore('mariadb');
