/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';

function Tasks() {
  const [tasks, setTasks] = useState<{ id: string; name: string }[]>([]);
  useEffect(() => {
    fetch('api/tasks')
      .then((response) => response.json())
      .then((page: { tasks: { id: string; name: string }[] }) => setTasks(page.tasks));
  }, []);
  return (
    <main>
      <h1>Tasks</h1>
      <ul>
        {tasks.map(({ id, name }) => (
          <li key={id}>
            {id} ({name})
          </li>
        ))}
      </ul>
    </main>
  );
}

document.addEventListener('DOMContentLoaded', () => render(<Tasks />, document.body));
