import './base.css';
import './authoring.css';
import './graph.css';
import './log.css';
import './runs.css';
import './home.css';
import './narrow.css';
