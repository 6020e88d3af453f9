import { createServer } from 'node:http';
import { chat } from './chat.mjs';

const http = createServer();
chat().attach(http);
http.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${http.address().port}/`));
